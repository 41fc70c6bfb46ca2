"""What the comparison with the asset ledger says."""

from __future__ import annotations

from typing import Final

from detector.words import Text, Wording

_ASK: Final = Text(
    ja="{place}（{department}）の担当者に {device} の現物と設置理由を確認し、機器台帳を"
    "直してください。心当たりがなければスイッチのポートを特定し、隔離計画に従ってください。",
    en="Ask {department} at {place} about {device}, and correct the ledger. If nobody knows it, "
    "find its switch port and follow the isolation plan.",
)


def _differs(what_ja: str, what_en: str) -> Wording:
    return Wording(
        title=Text(
            ja="{device} の" + what_ja + "が機器台帳と違います（台帳 {listed}、実際 {seen}）",
            en=what_en + " of {device} is not what the ledger says ({listed}; seen: {seen})",
        ),
        why=Text(
            ja="機器の入れ替えや設定変更の記録漏れか、別の機器がその機器になりすましています。",
            en="A replacement or a change was not recorded, or another machine poses as this one.",
        ),
        next_step=_ASK,
    )


WORDINGS: Final[dict[str, Wording]] = {
    "unlisted": Wording(
        title=Text(
            ja="機器台帳にない機器 {device}（{mac}）が {segment} で通信しています",
            en="{device} ({mac}), which is not in the ledger, speaks in {segment}",
        ),
        why=Text(
            ja="台帳にない機器は誰も更新も点検もしません。持ち込み機器や不正な機器は、"
            "ここから院内を探ります。（管理系通信 {admin}、相手 {peers} 台）",
            en="Nobody updates or checks what is not listed; brought-in and hostile machines look "
            "around from there. (administration: {admin}; {peers} peers)",
        ),
        next_step=_ASK,
    ),
    "unlisted_many": Wording(
        title=Text(
            ja="{segment} で見える機器 {seen_count} 台のうち {count} 台が機器台帳にありません",
            en="{count} of {seen_count} machines seen in {segment} are not in the ledger",
        ),
        why=Text(
            ja="台帳の記入漏れが多く、不審な機器を見分けられません。",
            en="So much is missing that a strange machine could not be told from the rest.",
        ),
        next_step=Text(
            ja="資産一覧の「台帳にない機器」を書き出し、設置部署に確認して台帳に加えてください。",
            en="Export the unlisted machines from the assets page, ask their departments, and add "
            "them to the ledger.",
        ),
    ),
    "missing": Wording(
        title=Text(
            ja="{segment} で、機器台帳の {count} 台が {days} 日以上見えません",
            en="{count} listed machines of {segment} have not been seen for {days} days",
        ),
        why=Text(
            ja="廃棄や移設の記録漏れか、紛失です。保存されたデータの行方を確かめる必要があります。",
            en="They were scrapped, moved or lost without a record; find out where their data is.",
        ),
        next_step=Text(
            ja="設置部署に現物（{examples}）を確認し、廃棄なら廃棄証明とともに台帳を直してください。",
            en="Ask the departments for the machines ({examples}) and correct the ledger.",
        ),
    ),
    "moved": _differs("IP アドレス", "The address"),
    "mac": _differs("MAC アドレス", "The MAC"),
    "name": _differs("ホスト名", "The name"),
    "os": _differs("OS", "The system"),
    "vlan": _differs("VLAN", "The VLAN"),
    "duplicate": Wording(
        title=Text(
            ja="IP アドレス {device} を 2 台の機器が使っています（{seen}）",
            en="Two machines use the address {device} ({seen})",
        ),
        why=Text(
            ja="重複した IP は通信が途切れる原因になり、なりすましとも区別がつきません。",
            en="A doubled address breaks connections and cannot be told from an impostor.",
        ),
        next_step=Text(
            ja="2 つの MAC アドレスのスイッチポートを調べ、後から設定された側の IP を"
            "直してください。",
            en="Find both MACs' switch ports and correct the address of the newcomer.",
        ),
    ),
    "retired": Wording(
        title=Text(
            ja="廃棄済みのはずの {device} が通信しています",
            en="{device}, retired according to the ledger, speaks",
        ),
        why=Text(
            ja="更新の止まった機器が残っているか、同じアドレスを別の機器が使っています。",
            en="An unmaintained machine is still there, or another one uses its address.",
        ),
        next_step=_ASK,
    ),
    "maintenance": Wording(
        title=Text(
            ja="リモート保守なしのはずの {device} に、外部との {seen} の通信があります",
            en="{device} has no remote maintenance according to the ledger, but shows {seen}",
        ),
        why=Text(
            ja="病院が知らないうちに遠隔保守の経路が設けられています（チェックリスト 2-②）。",
            en="Somebody has set up a way in for maintenance that the hospital does not know.",
        ),
        next_step=Text(
            ja="保守ベンダ（{listed}）に遠隔保守の有無を確認し、正規なら外部接続台帳と機器台帳に"
            "登録してください。",
            en="Ask the vendor ({listed}) whether it maintains from afar; if proper, enter it in "
            "the register and the ledger.",
        ),
    ),
}
