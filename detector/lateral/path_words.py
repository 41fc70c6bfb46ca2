"""What alerts say of paths, orphans and trees of control."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

WORDINGS: Final = {
    "path": Wording(
        Text(
            "{source} から {middle} を経由して {end} が操作されています（{apps}）",
            "{end} is controlled from {source} by way of {middle} ({apps})",
        ),
        Text(
            "遠隔操作が機器を渡り歩いています（{gap}{users}）。"
            "少なくとも一方は過去に例のない"
            "組み合わせです。一段ずつは保守に見えても、踏み台を使う侵入はこの形になります。",
            "Remote control goes on from host to host ({gap_en}{users_en}), and at least one "
            "of "
            "the steps was never seen before. Each step looks like maintenance; an intruder who "
            "uses "
            "stepping stones looks like this.",
        ),
        Text(
            "まず {source} の操作者に電話し、{end} まで入る作業かどうか聞いてください。"
            "分からなければ "
            "{middle} を LAN から外すと経路が切れます（診療への影響を先に確認）。"
            "情報システム責任者に"
            "報告してください。",
            "First phone whoever is at {source}: is work on {end} planned? If not, taking "
            "{middle} off "
            "the LAN cuts the path (find out first what stops). Report to the head of IT.",
        ),
    ),
    "orphan": Wording(
        Text(
            "{source}（{role}）が自分から {target} を {app} で操作し始めました",
            "{source} ({role}) began to control {target} by {app} on its own",
        ),
        Text(
            "この 24 時間、誰も {source} に遠隔から入っていません。それなのに外へ操作が始まるのは、"
            "別の入り口（持ち込み回線、不正プログラム、機器の前の人）があるためです。",
            "Nobody entered {source} from the network in 24 hours, yet control starts there: "
            "there is "
            "another way in (an unknown line, malware, or somebody at the machine).",
        ),
        Text(
            "{source} の設置部署に電話し、いま機器の前に誰がいるか、USB 通信機器やスマートフォンが"
            "つながっていないか見てもらってください。保守業者の作業でなければ LAN から外します"
            "（診療への影響を先に確認）。",
            "Phone the department of {source}: who is at it, and is a phone or USB modem plugged "
            "in? "
            "If it is not the vendor at work, take it off the LAN (find out first what stops).",
        ),
    ),
    "tree": Wording(
        Text(
            "{source} を起点に、1 日で {count} 本の新しい操作経路ができました",
            "{count} new paths of control grew from {source} in one day",
        ),
        Text(
            "過去に例のない遠隔操作（{apps}）が次々に増えています。管理者用の端末でなければ、"
            "乗っ取りが広がっている形です。",
            "Sessions of control that were never seen before ({apps}) keep adding up. Unless it "
            "is an "
            "administrator's machine, a take-over is spreading.",
        ),
        Text(
            "{source} の操作者に直ちに電話してください。予定された導入作業でなければ、{source} を "
            "LAN "
            "から外し、接続先の {target_count} 台も確認の対象にします。",
            "Phone the user of {source} at once. If no roll-out is planned, take it off the LAN "
            "and "
            "treat the {target_count} hosts it reached as suspects.",
        ),
    ),
}
