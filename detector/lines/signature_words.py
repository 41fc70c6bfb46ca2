"""What the tool signatures say, by class of tool."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

_CALL = Text(
    ja="機器の担当部署と保守ベンダに、誰が何のために使っているか確認してください。"
    "正規の保守であれば外部接続台帳に登録し、心当たりがなければ {device} の外部通信を止めて"
    "医療情報システム安全管理責任者に報告してください。",
    en="Ask the department and the maintenance vendor who uses it and what for. If it is proper "
    "maintenance, add it to the outside-line register; if nobody knows, stop {device} from going "
    "out and tell the information-security officer.",
)

WORDINGS: Final[dict[str, Wording]] = {
    "vpn": Wording(
        title=Text(
            ja="{device} に VPN（{app}）の通信があります：{peer}",
            en="{device} shows traffic of a VPN ({app}): {peer}",
        ),
        why=Text(
            ja="VPN は院内と外部をひとつのネットワークにします。台帳にない VPN は、"
            "装置の脆弱性や漏えいした認証情報がそのまま侵入口になります。",
            en="A VPN makes the hospital and the outside one network. One that is not on the "
            "register is a way in whenever its device is flawed or its password has leaked.",
        ),
        next_step=_CALL,
    ),
    "remote": Wording(
        title=Text(
            ja="{device} にリモート操作ツール {app} の通信があります：{peer}",
            en="{device} shows traffic of the remote-control tool {app}: {peer}",
        ),
        why=Text(
            ja="つながれば画面操作やファイル転送が外部から直接できるため、ファイアウォールの許可や"
            "台帳をすり抜けた侵入口になります。攻撃者も正規ツールをそのまま悪用します。",
            en="Once it connects, someone outside can work the screen and move files, past the "
            "firewall's rules and the register. Intruders use these very tools.",
        ),
        next_step=_CALL,
    ),
    "tunnel": Wording(
        title=Text(
            ja="{device} にトンネル（{app}）の通信があります：{peer}",
            en="{device} shows traffic of a tunnel ({app}): {peer}",
        ),
        why=Text(
            ja="このトンネルは内側から張られ、外部から院内の任意の機器へ到達できる経路になります。"
            "医療機関の通常業務や保守で使われることはまずありません。",
            en="It is opened from within and lets someone outside reach any machine behind it. "
            "Hospitals hardly ever need one for work or maintenance.",
        ),
        next_step=Text(
            ja="{device} の外部通信を止められるか、ケアへの影響を隔離計画で確認したうえで、"
            "使用者に確認してください。電源は切らず、証拠としてメモリとディスクを保全してください。",
            en="Check the isolation plan for what would stop, then cut {device} off from the "
            "outside and ask its user. Do not power it off: keep memory and disk as evidence.",
        ),
    ),
    "proxy": Wording(
        title=Text(
            ja="{device} が {peer} を {app} プロキシとして使っています",
            en="{device} uses {peer} as a {app} proxy",
        ),
        why=Text(
            ja="{app} は任意の通信を肩代わりします。病院の構成にない中継は、"
            "侵入後に院内を移動する踏み台や持ち出し経路として使われます。",
            en="{app} carries any traffic on another's behalf. A relay outside the hospital's "
            "design serves intruders to move on or to take data out.",
        ),
        next_step=Text(
            ja="{peer} の管理者に、中継を意図して動かしているか確認してください。"
            "意図しないものなら {peer} と {device} の両方を調査対象にしてください。",
            en="Ask whoever runs {peer} whether the relay is meant to be there. If not, "
            "investigate both {peer} and {device}.",
        ),
    ),
    "proxy_inside": Wording(
        title=Text(
            ja="{peer} が {app} として中継しています",
            en="{peer} relays as an {app}",
        ),
        why=Text(
            ja="機器台帳にないプロキシは、閉域の端末に外部への出口を与えます。",
            en="A proxy that is not in the asset ledger gives closed machines a way out.",
        ),
        next_step=Text(
            ja="正規のプロキシであれば機器台帳に登録してください。そうでなければ、"
            "{peer} を設置した部署に確認してください。",
            en="If it is the hospital's own proxy, add it to the asset ledger. If not, ask the "
            "department that put {peer} there.",
        ),
    ),
    "anonymiser": Wording(
        title=Text(
            ja="{device} が {app} で通信相手を隠そうとしています：{peer}",
            en="{device} hides whom it talks to with {app}: {peer}",
        ),
        why=Text(
            ja="匿名化ネットワークは業務では使いません。マルウェアの指令や情報の持ち出しに"
            "使われることがあります。",
            en="Anonymity networks have no place in hospital work; malware uses them for orders "
            "and to take data out.",
        ),
        next_step=_CALL,
    ),
    "quiet": Wording(
        title=Text(
            ja="{device} が {app} を {peer} に対して使っています",
            en="{device} uses {app} with {peer}",
        ),
        why=Text(
            ja="病院の DNS やプロキシを経由しない通信は、記録にも遮断にもかかりません。",
            en="What bypasses the hospital's own DNS and proxy is neither logged nor blocked.",
        ),
        next_step=Text(
            ja="ブラウザや OS の設定による場合がほとんどです。端末の管理者に設定の変更を"
            "依頼してください。",
            en="It is mostly a browser's or system's setting: ask whoever manages the machine to "
            "change it.",
        ),
    ),
    "session_in": Wording(
        title=Text(
            ja="外部 {peer} から {device} へ {app} で接続されています",
            en="{peer}, outside, is connected to {device} by {app}",
        ),
        why=Text(
            ja="インターネットや外部回線から {app} が直接届く状態は、病院を狙うランサムウェアの"
            "典型的な侵入口です。",
            en="{app} that can be reached from outside is a classic way in for ransomware against "
            "hospitals.",
        ),
        next_step=Text(
            ja="ファイアウォールで {peer} からの {app} を遮断し、{device} のログイン履歴を"
            "確認してください。保守ベンダの作業なら、台帳に登録した VPN 経由に改めさせてください。",
            en="Block {app} from {peer} at the firewall and check who logged in to {device}. If it "
            "was the vendor at work, have them use a registered VPN.",
        ),
    ),
    "session_out": Wording(
        title=Text(
            ja="{device} から外部 {peer} へ {app} で接続しています",
            en="{device} is connected to {peer}, outside, by {app}",
        ),
        why=Text(
            ja="院内から外部機器の遠隔操作は、データの持ち出しや外部からの逆向き操作に"
            "使われることがあります。",
            en="Remote control of a machine outside can carry data out, or control back in.",
        ),
        next_step=_CALL,
    ),
    "ssh_out": Wording(
        title=Text(
            ja="{device} から外部 {peer} への SSH が続いています（最長 {minutes} 分）",
            en="{device} keeps an SSH connection to {peer}, outside (up to {minutes} min)",
        ),
        why=Text(
            ja="長時間の外向き SSH は、外部から院内へ戻る逆トンネルとして使えます。",
            en="A long outbound SSH connection can serve as a tunnel back into the hospital.",
        ),
        next_step=_CALL,
    ),
}
