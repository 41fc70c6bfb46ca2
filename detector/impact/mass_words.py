"""What alerts say of ransomware's wider signs."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

_CUT: Final = Text(
    ja="直ちに {source} の LAN ケーブルを抜き、情報システム責任者に電話してください。同時に"
    "バックアップの接続を切り離します（電源は切らない）。心当たりのある作業（導入・移行）がないか、"
    "設置部署にも確認します。",
    en="Unplug {source} from the LAN at once and phone the head of IT. Disconnect the backups at "
    "the "
    "same time (do not switch anything off). Ask its department whether a roll-out or migration is "
    "going on.",
)

WORDINGS: Final = {
    "printers": Wording(
        Text(
            "{source} が 5 分間に {count} 台のプリンターへ初めて印刷しています",
            "{source} is printing to {count} printers it never used, within 5 minutes",
        ),
        Text(
            "通常の印刷は決まった数台に限られます。半田病院では、脅迫文が院内のプリンターから一斉に"
            "印刷されました。",
            "People print to a few printers of their own. At Handa the ransom note came out of "
            "every "
            "printer at once.",
        ),
        _CUT,
    ),
    "servers": Wording(
        Text(
            "{source} が 10 分間に {count} 台のサーバーへ初めてファイルを書き込みました",
            "{source} wrote files to {count} servers it never wrote to, within 10 minutes",
        ),
        Text(
            "不正プログラムを配る、または共有フォルダーを次々に暗号化する動きです（例：{file}）。",
            "This is how malware is spread, or shares are encrypted one after another (such as "
            "{file}).",
        ),
        _CUT,
    ),
    "rewriting": Wording(
        Text(
            "{source} が {target} のファイルを {minutes} 分間、大量に読み書きしています",
            "{source} has been reading and rewriting files on {target} for {minutes} minutes",
        ),
        Text(
            "読み出し {read_mb} MB と書き込み {mb} MB がほぼ同量です。中身は見えませんが、"
            "ファイルを読んで書き戻す暗号化の動きと一致します。",
            "It read {read_mb} MB and wrote {mb} MB, nearly the same. The content cannot be seen, "
            "but "
            "encryption reads and writes back like this.",
        ),
        Text(
            "{source} の利用者と {target} の管理者に、コピーや移行の作業か直ちに確認してください。"
            "作業でなければ {source} を LAN から外し、バックアップを切り離します。",
            "Ask the user of {source} and whoever runs {target} at once whether this is a copy or "
            "migration. If not, take {source} off the LAN and disconnect the backups.",
        ),
    ),
    "backup": Wording(
        Text(
            "{source} がバックアップサーバー {target} の管理画面に初めて接続しました（ポート "
            "{port}）",
            "{source} reached the console of backup server {target} for the first time (port "
            "{port})",
        ),
        Text(
            "ランサムウェアの攻撃者は、暗号化の前にバックアップを消します。岡山の事例でも"
            "バックアップが壊されました。",
            "Ransomware crews destroy the backups before they encrypt, as they did in Okayama.",
        ),
        Text(
            "バックアップの担当者に、{source} からの作業予定を確認してください。予定がなければ "
            "{target} を"
            "ネットワークから切り離し、バックアップが残っているか確かめます。",
            "Ask whoever runs the backups whether work from {source} is planned. If not, "
            "disconnect "
            "{target} from the network and see that the backups are whole.",
        ),
    ),
}
