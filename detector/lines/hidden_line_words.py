"""What EX-1 says."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

WORDINGS: Final[dict[str, Wording]] = {
    "host": Wording(
        title=Text(
            ja="{host} が病院を通らない外部回線を持っている疑いがあります（確度 {percent}%）",
            en="{host} seems to have an outside line of its own ({percent} %)",
        ),
        why=Text(
            ja="{signs_ja}。スマートフォンのテザリングや USB モデムは、ファイアウォールの内側に"
            "直接開いた出入口になります。",
            en="{signs_en}. A tethered phone or a USB stick is a door that opens behind the "
            "firewall.",
        ),
        next_step=Text(
            ja="{confirm_ja}医療機器の場合は先に担当部署と ME に連絡し、使用中でないことを"
            "確認してから外してください。保守用に正規に持ち込まれたものなら、外部接続台帳または"
            "機器台帳（既知の第2NIC）に登録してください。監視の限界：{unseen_ja}。",
            en="{confirm_en} For a medical device, call the department and clinical engineering "
            "first, and unplug nothing in use. If it was brought for maintenance, enter it in the "
            "register or, as a known second card, in the ledger. Not seen: {unseen_en}.",
        ),
    ),
    "router": Wording(
        title=Text(
            ja="{host} が無断のルータとして動いている疑いがあります（確度 {percent}%）",
            en="{host} seems to act as a router nobody sanctioned ({percent} %)",
        ),
        why=Text(
            ja="{signs_ja}。端末の通信がこの機器を通ると、盗み見や書き換えができ、"
            "病院のファイアウォールを通らずに外部とつながります。",
            en="{signs_en}. Traffic that passes it can be read and changed, and reaches outside "
            "past the hospital's firewall.",
        ),
        next_step=Text(
            ja="{confirm_ja}見つけたら LAN から外し、影響を受けた端末に IP を取り直させて"
            "ください。設置者と目的を設置部署に確認し、正規の機器であれば構成（DHCP サーバ、"
            "ゲートウェイ）に登録してください。",
            en="{confirm_en} Unplug it from the LAN and have the terminals renew their addresses. "
            "Ask the department who put it there and why; if it is proper, enter it in the plan "
            "(DHCP servers, gateways).",
        ),
    ),
}
