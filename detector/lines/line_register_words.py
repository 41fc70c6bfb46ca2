"""What the register's reconciliation says, by verdict."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

WORDINGS: Final[dict[str, Wording]] = {
    "unregistered": Wording(
        title=Text(
            ja="台帳にない外部接続：{device} に {app} の通信があります（{peer}）",
            en="Not in the register: {device} shows traffic of {app} ({peer})",
        ),
        why=Text(
            ja="病院が把握していない外部接続です。ベンダや職員が無断で設けた回線は、"
            "更新も監視もされず、ランサムウェアの侵入口になってきました。",
            en="The hospital does not know this line. Lines that vendors or staff set up on their "
            "own are neither updated nor watched, and have let ransomware in.",
        ),
        next_step=Text(
            ja="{device} の担当部署と保守ベンダに、目的と責任者を確認してください。"
            "正当なら外部接続台帳に登録し、不明なら隔離計画に従って外部回線を切り、"
            "医療情報システム安全管理責任者に報告してください。",
            en="Ask the department and the vendor of {device} what it is for and who answers for "
            "it. If it is proper, register it; if nobody knows, cut the outside line as the "
            "isolation plan says and tell the information-security officer.",
        ),
    ),
    "changed": Wording(
        title=Text(
            ja="外部接続 {line}（{vendor}）が台帳の内容と違います：{differs}",
            en="Line {line} ({vendor}) differs from the register: {differs}",
        ),
        why=Text(
            ja="接続先や機器が無断で変わると、契約した相手と違う者がつながっていても気づけません。",
            en="If the far end or the device changes unannounced, nobody would notice that someone "
            "else is connected.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）に変更の有無を確認し、正当なら台帳を直してください。",
            en="Ask {vendor} (contact {contact}) whether they changed it, and correct the register "
            "if so.",
        ),
    ),
    "expired": Wording(
        title=Text(
            ja="契約の終わった外部接続 {line}（{vendor}、{contract_end} まで）が使われています",
            en="Line {line} ({vendor}) is in use though its contract ended on {contract_end}",
        ),
        why=Text(
            ja="契約終了後の回線は責任者がいないまま残り、古い認証情報が悪用されます。",
            en="A line that outlives its contract has nobody to answer for it, and old passwords.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）と契約担当に確認し、更新していなければ {device} の"
            "接続を止めてください。",
            en="Ask {vendor} (contact {contact}) and whoever keeps the contract; unless it was "
            "renewed, cut {device}'s line.",
        ),
    ),
    "out_of_window": Wording(
        title=Text(
            ja="外部接続 {line}（{vendor}）が利用時間外に使われています（登録 {hours_ja}）",
            en="Line {line} ({vendor}) is used outside its hours ({hours})",
        ),
        why=Text(
            ja="利用時間外の保守接続は、連絡のない緊急作業か、盗まれた認証情報による侵入です。"
            "夜間や休日は人目がなく、被害が広がりやすくなります。",
            en="Maintenance outside its hours is either an emergency nobody announced or an "
            "intruder with stolen credentials; at night and on holidays nobody is there to see.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）に電話し、いま作業しているか確認してください。"
            "作業していなければ {device} の接続を直ちに切り、着地機器のログを保全してください。",
            en="Call {vendor} (contact {contact}) and ask whether they are at work right now. If "
            "not, cut {device}'s line at once and keep the logs of the machines it landed on.",
        ),
    ),
    "weak": Wording(
        title=Text(
            ja="外部接続 {line}（{vendor}）が弱い方式（{weakness}）を使っています",
            en="Line {line} ({vendor}) uses a weak protocol ({weakness})",
        ),
        why=Text(
            ja="{weakness} は短時間で解読されるか、外部から直接操作される方式で、"
            "認証情報を盗まれます。",
            en="{weakness} can be broken quickly or is open to the outside, and passwords with it.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）に、IKEv2 や TLS 1.2 以上などの現行方式、"
            "または VPN 経由への変更を求めてください。",
            en="Ask {vendor} (contact {contact}) to move to a current protocol such as IKEv2 or "
            "TLS 1.2, or to come by a VPN.",
        ),
    ),
    "volume": Wording(
        title=Text(
            ja="外部接続 {line}（{vendor}）の通信量が普段と大きく違います（{bytes} バイト、"
            "普段 {usual} バイト）",
            en="Line {line} ({vendor}) carries far more than usual ({bytes} bytes; {usual} on its "
            "other days)",
        ),
        why=Text(
            ja="普段と桁の違う量は、データの一括持ち出しか、契約にない作業のしるしです。",
            en="Far more than usual means that data is taken out, or work that was not agreed.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）に、今日の作業内容と送ったデータを確認してください。"
            "説明がつかなければ {device} の接続を切り、着地機器のログを保全してください。",
            en="Ask {vendor} (contact {contact}) what was done and sent today. If it cannot be "
            "explained, cut {device}'s line and keep the logs of where it landed.",
        ),
    ),
    "always_on": Wording(
        title=Text(
            ja="都度接続のはずの {line}（{vendor}）が常時つながっています（稼働率 {duty}%）",
            en="Line {line} ({vendor}) is on request, but is up {duty} % of the time",
        ),
        why=Text(
            ja="つなぎっぱなしの保守回線は、作業のない時間も侵入口として開いています。",
            en="A maintenance line left connected is a way in even while nobody works.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）に、作業後は切断するよう求めてください。"
            "常時接続が必要なら、台帳の利用時間を改めてください。",
            en="Ask {vendor} (contact {contact}) to disconnect after work; if it must stay up, "
            "correct the register.",
        ),
    ),
    "dormant": Wording(
        title=Text(
            ja="外部接続 {line}（{vendor}）は {days} 日間使われていません",
            en="Line {line} ({vendor}) has not been used for {days} days",
        ),
        why=Text(
            ja="使われない回線は点検や更新から漏れ、忘れられた侵入口になります。",
            en="A line nobody uses escapes checks and updates, and becomes a forgotten way in.",
        ),
        next_step=Text(
            ja="{vendor}（連絡先 {contact}）と廃止を相談し、廃止したら台帳から外してください。",
            en="Ask {vendor} (contact {contact}) whether it can go, and take it off the register.",
        ),
    ),
    "ghost": Wording(
        title=Text(
            ja="台帳にある外部接続 {line}（{vendor}）の通信が {days} 日間一度も見えません",
            en="Line {line} ({vendor}) is registered, but was never seen in {days} days",
        ),
        why=Text(
            ja="台帳が古いか、その回線がセンサーの見えない場所を通っています。"
            "見えない回線は見張れません。",
            en="The register is out of date, or the line passes where the sensor cannot see.",
        ),
        next_step=Text(
            ja="現地で {line} の有無と接続場所を確かめ、台帳かセンサーの位置を直してください。",
            en="Go and look whether {line} is there and where it connects; correct the register "
            "or the sensor's place.",
        ),
    ),
}
