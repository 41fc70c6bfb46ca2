"""What alerts say of image archives, HL7 and databases that are asked too much or by strangers."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

_ASK_RADIOLOGY: Final = Text(
    ja="放射線部門（PACS 担当・業者）に電話し、{source} からのデータ移行、AI "
    "や読影サービスの接続作業が"
    "あるか聞いてください。なければ {target} 側で {source} の AE を拒否し、{source} を調べます。",
    en="Phone radiology (whoever runs the PACS, or its vendor): is {source} migrating data or "
    "connecting an AI or reading service? If not, refuse its AE title at {target} and look at it.",
)

WORDINGS: Final = {
    "sweep": Wording(
        Text(
            "{source}（AE {title}）が {target} に 10 分間で {count} 回の画像{what}をしています",
            "{source} (AE {title}) made {count} image {what_en} at {target} within 10 minutes",
        ),
        Text(
            "この機器の過去最多は 10 分間に {usual} 回です。画像と患者情報をまとめて持ち出す動きと"
            "一致します。",
            "The most it ever made in 10 minutes was {usual}. It fits copying images and patient "
            "data in bulk.",
        ),
        _ASK_RADIOLOGY,
    ),
    "refused": Wording(
        Text(
            "{source} が {target} に AE 名を {count} 回試し、拒否されています",
            "{source} tried {count} associations at {target} and was refused",
        ),
        Text(
            "画像サーバーに入れる AE 名を当てようとしています（{titles}）。"
            "設定作業中の機器でなければ"
            "侵入の準備です。",
            "It is guessing an AE title that the image server accepts ({titles}). Unless a device "
            "is "
            "being set up, it prepares an intrusion.",
        ),
        _ASK_RADIOLOGY,
    ),
    "new_title": Wording(
        Text(
            "{source} が新しい AE 名 {calling} で {target} に接続しました",
            "{source} connected to {target} as {calling}, a new AE title",
        ),
        Text(
            "この組み合わせ（AE 名・アドレス・相手）は学習期間中に一度もありませんでした。",
            "This AE title, address and partner never came together before.",
        ),
        _ASK_RADIOLOGY,
    ),
    "stolen_title": Wording(
        Text(
            "{source} が、別の機器のものだった AE 名 {calling} で {target} に接続しました",
            "{source} connected to {target} as {calling}, the AE title of another machine",
        ),
        Text(
            "この AE 名はこれまで {others} だけが使っていました。機器の入れ替えでなければ、"
            "なりすましです。",
            "Only {others} used this AE title so far. Unless the machine was replaced, somebody "
            "poses "
            "as it.",
        ),
        _ASK_RADIOLOGY,
    ),
    "hl7": Wording(
        Text(
            "{source} から {target} に、新しい送信元「{sender}」の HL7 が届きました（{type}）",
            "{source} began to send HL7 as '{sender}' to {target} ({type})",
        ),
        Text(
            "この送信元とアドレスの組み合わせは初めてです。なりすましの電文は、検査結果や指示を"
            "書き換える恐れがあります。",
            "This sender never came from this address. Forged messages can change results or "
            "orders.",
        ),
        Text(
            "HL7 連携の担当業者に、{source} からの新しい接続があるか確認してください。なければ"
            "連携エンジン側で {source} を拒否します。",
            "Ask the vendor of the interface engine whether {source} was connected. If not, refuse "
            "it at the engine.",
        ),
    ),
    "database": Wording(
        Text(
            "{source} が初めて {target} のデータベース（{app}）から {mb} MB を取り出しました",
            "{source} drew {mb} MB from the {app} database {target} for the first time",
        ),
        Text(
            "これまで {target} に接続したことのない機器です。大量の取り出しは、診療情報の持ち出しの"
            "前段と考えます。",
            "It never spoke to {target} before. Drawing much is the step before patient data "
            "leaves.",
        ),
        Text(
            "{target} の担当業者と医療情報部門に、{source} での抽出作業（研究、DWH）"
            "の予定を確認して"
            "ください。なければ {source} の利用者に電話し、接続を止めます。",
            "Ask the vendor of {target} and medical informatics whether an extraction from "
            "{source} "
            "is planned (research, warehouse). If not, phone its user and cut the connection.",
        ),
    ),
}
