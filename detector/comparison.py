"""What an alert is compared with: this pair's past, this host's, and its peers', in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from collector.apps import APP_CODE, app_name
from detector.alerts import Alert, Party
from detector.edges import EdgeMemory, Past
from detector.words import Text

_COLD = Text(
    "普段との比較はまだできません（学習を始めた日です）。",
    "Nothing to compare with yet: learning began today.",
)
_PAIR = Text(
    "これまでの記録（学習 {days} 日）：{source} から {target} への {app} は{pair}。{source} が "
    "{app} を使った相手は {own} 台、{kind}で {app} を使ったのは {peers} 台です。",
    "So far ({days} days of learning): {app} from {source} to {target} {pair}. {source} has used "
    "{app} with {own} hosts; of {kind}, {peers} use {app}.",
)
_HOST = Text(
    "これまでの記録（学習 {days} 日）：{source} の通信相手は {own} 台{spoken}。",
    "So far ({days} days of learning): {source} has spoken to {own} hosts{spoken}.",
)


def compared(alert: Alert, edges: EdgeMemory, number_of: Callable[[Party], int]) -> Text | None:
    """One sentence with the past of what the alert tells; None where the memory holds no host.

    `edges` must be as before the alert's window, so that what is told does not excuse itself.
    """
    if not alert.source.ip:
        return None
    if edges.active_days == 0:
        return _COLD
    source = number_of(alert.source)
    target = _first(alert.targets)
    number = number_of(target) if target is not None else None
    facts = {"days": edges.active_days, "source": alert.source.name or alert.source.ip}
    if target is not None and number is not None and alert.app in APP_CODE:
        past = edges.past(source, number, APP_CODE[alert.app])
        told = {
            **facts, "target": target.name or target.ip, "app": app_name(alert.app),
            "own": past.own, "peers": past.peers,
        }  # fmt: skip
        return _both(_PAIR, told, {"pair": _pair_words(past), "kind": _kind(alert.source.role)})
    past = edges.past(source, number, None)
    return _both(_HOST, {**facts, "own": past.own}, {"spoken": _spoken_words(past, target)})


def _first(targets: Sequence[Party]) -> Party | None:
    return next((t for t in targets if t.ip), None)


def _pair_words(past: Past) -> Text:
    if past.pair_days == 0:
        return Text("一度もありません", "was never seen")
    return Text(f" {past.pair_days} 日ありました", f"was seen on {past.pair_days} days")


def _spoken_words(past: Past, target: Party | None) -> Text:
    if target is None:
        return Text("です", "")
    name = target.name or target.ip
    if past.pair_days == 0:
        return Text(f"で、{name} とは一度もありません", f", never to {name}")
    return Text(
        f"で、{name} とは {past.pair_days} 日ありました", f", to {name} on {past.pair_days} days"
    )


def _kind(role: str) -> Text:
    if role in ("", "unknown"):
        return Text("種類の分からない他の機器", "other hosts whose kind is unknown")
    return Text("同じ種類の他の機器", f"other hosts of its kind ({role})")


def _both(text: Text, facts: dict[str, object], words: dict[str, Text]) -> Text:
    ja = {place: word.ja for place, word in words.items()}
    en = {place: word.en for place, word in words.items()}
    return Text(text.fill({**facts, **ja}).ja, text.fill({**facts, **en}).en)
