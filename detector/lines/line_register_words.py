"""What the register's reconciliation says, by verdict."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

WORDINGS: Final[dict[str, Wording]] = {
    "unregistered": Wording(
        title=Text(
            ja="台帳にない外部接続:{device} に {app} の通信があります({peer})",
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
            ja="外部接続 {line}({vendor})が台帳の内容と違います:{differs}",
            en="Line {line} ({vendor}) differs from the register: {differs}",
        ),
        why=Text(
            ja="接続先や機器が無断で変わると、契約した相手と違う者がつながっていても気づけません。",
            en="If the far end or the device changes unannounced, nobody would notice that someone "
            "else is connected.",
        ),
        next_step=Text(
            ja="{vendor}(連絡先 {contact})に変更の有無を確認し、正当なら台帳を直してください。",
            en="Ask {vendor} (contact {contact}) whether they changed it, and correct the register "
            "if so.",
        ),
    ),
    "expired": Wording(
        title=Text(
            ja="契約の終わった外部接続 {line}({vendor}、{contract_end} まで)が使われています",
            en="Line {line} ({vendor}) is in use though its contract ended on {contract_end}",
        ),
        why=Text(
            ja="契約終了後の回線は責任者がいないまま残り、古い認証情報が悪用されます。",
            en="A line that outlives its contract has nobody to answer for it, and old passwords.",
        ),
        next_step=Text(
            ja="{vendor}(連絡先 {contact})と契約担当に確認し、更新していなければ {device} の"
            "接続を止めてください。",
            en="Ask {vendor} (contact {contact}) and whoever keeps the contract; unless it was "
            "renewed, cut {device}'s line.",
        ),
    ),
    "out_of_window": Wording(
        title=Text(
            ja="外部接続 {line}({vendor})が利用時間外に使われています(登録 {hours})",
            en="Line {line} ({vendor}) is used outside its hours ({hours})",
        ),
        why=Text(
            ja="利用時間外の保守接続は、連絡のない緊急作業か、盗まれた認証情報による侵入です。"
            "夜間や休日は人目がなく、被害が広がりやすくなります。",
            en="Maintenance outside its hours is either an emergency nobody announced or an "
            "intruder with stolen credentials; at night and on holidays nobody is there to see.",
        ),
        next_step=Text(
            ja="{vendor}(連絡先 {contact})に電話し、いま作業しているか確認してください。"
            "作業していなければ {device} の接続を直ちに切り、着地機器のログを保全してください。",
            en="Call {vendor} (contact {contact}) and ask whether they are at work right now. If "
            "not, cut {device}'s line at once and keep the logs of the machines it landed on.",
        ),
    ),
    "weak": Wording(
        title=Text(
            ja="外部接続 {line}({vendor})が弱い方式({app})を使っています",
            en="Line {line} ({vendor}) uses a weak protocol ({app})",
        ),
        why=Text(
            ja="{app} の暗号は短時間で解読でき、認証情報を盗まれます。",
            en="{app} can be broken quickly, and its passwords with it.",
        ),
        next_step=Text(
            ja="{vendor}(連絡先 {contact})に、IKEv2 などの現行方式への変更を求めてください。",
            en="Ask {vendor} (contact {contact}) to move to a current protocol such as IKEv2.",
        ),
    ),
}
