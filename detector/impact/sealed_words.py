"""What alerts say of rewriting inside SMB3 encryption."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

_TITLE: Final = Text(
    ja="{source} が {target} の多数のファイルを読んで書き戻しているようです（{seconds} 秒で "
    "{files} 個、通信は暗号化）",
    en="{source} seems to be reading and writing back many files on {target}: {files} in "
    "{seconds} s, inside encryption",
)
_LOOK: Final = Text(
    ja="{target} の共有フォルダーをいま開き、ファイルが読めるか、名前や拡張子が変わっていないかを"
    "確認してください。変わっていれば {source} のLANケーブルを抜き（電源は切らない）、"
    "バックアップを切り離します。異常がなければ {source} の利用者に作業の内容を確認します。",
    en="Look at the share on {target} now: can files be opened, have names or extensions changed? "
    "If they have, unplug the network cable of {source} (leave the power on) and disconnect the "
    "backups. If all is well, ask the user of {source} what work is going on.",
)

WORDINGS: Final = {
    "": Wording(
        title=_TITLE,
        why=Text(
            ja="ファイルを読む、書く、名前を変えるか消す、を 1 個ずつ繰り返す動きが、暗号化された"
            "メッセージの長さと順序から読み取れます。ランサムウェアの動きと一致しますが、"
            "中身は見えないため断定はできません。過去にこの動きがあったのは {days} 日です。",
            en="By the lengths and the order of the encrypted messages it reads a file, writes, "
            "and renames or deletes, one after another, as ransomware does. The contents cannot "
            "be seen, so this cannot be confirmed. Earlier days on which the two did so: {days}.",
        ),
        next_step=_LOOK,
    ),
    "in_place": Wording(
        title=_TITLE,
        why=Text(
            ja="読んだ量とほぼ同じ量を、ファイルごとに書き戻しています。名前を変えない"
            "ランサムウェアの動きと一致しますが、単純なコピーでも似た動きになります。中身は"
            "見えないため断定はできません。過去にこの動きがあったのは {days} 日です。",
            en="File by file it writes back nearly as much as it read. Ransomware that keeps names "
            "does so; a plain copy can look alike. The contents cannot be seen, so this cannot be "
            "confirmed. Earlier days on which the two did so: {days}.",
        ),
        next_step=_LOOK,
    ),
    "moved": Wording(
        title=Text(
            ja="{source} が {target} の多数のファイルを別の場所へ移しているようです（"
            "{seconds} 秒で {files} 個、通信は暗号化）",
            en="{source} seems to be moving many files on {target} elsewhere: {files} in "
            "{seconds} s, inside encryption",
        ),
        why=Text(
            ja="読んだファイルと同じ長さを別に書き、更新日時を写し、元を消す動きが、暗号化された"
            "メッセージの長さから読み取れます。アーカイブや整理の作業がこの動きをし、"
            "ランサムウェアは通常ファイルごとに鍵を書き足すため長さが変わります。長さも日時も"
            "保つランサムウェアとは見分けられないため、参考として知らせます。",
            en="By the lengths of the encrypted messages it writes as much as it read, keeps the "
            "times, and deletes the original. Archiving and tidying do so; ransomware usually adds "
            "a key to each file, which changes lengths. One that keeps lengths and times cannot "
            "be told apart, hence this note.",
        ),
        next_step=Text(
            ja="{source} で予定されたアーカイブや整理の作業か、利用者か担当者に確認してください。"
            "心当たりがなければ {target} の共有フォルダーを開き、ファイルが読めるか確認します。",
            en="Ask the user or the person in charge of {source} whether archiving or tidying was "
            "planned. If not, open the share on {target} and see whether files can be read.",
        ),
    ),
}
