"""The weekly digest: incidents, outside lines, remote maintenance, ledgers, and what was unseen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from api.asset_rows import compare_assets
from api.people import Language
from collector.shedding import why_shed
from detector.alerts import Alert
from detector.store import Store
from detector.words import Text

WEEK_NS: Final = 7 * 86_400_000_000_000
MOST_LINES: Final = 20  # of the digest
_MOST_ROWS: Final = 10

_VERDICTS: Final[dict[str, Text]] = {
    "matched": Text("台帳どおり", "as registered"),
    "unregistered": Text("台帳にない", "not registered"),
    "changed": Text("変更あり", "changed"),
    "out_of_window": Text("時間外", "out of hours"),
    "out_of_scope": Text("範囲外", "out of scope"),
    "expired": Text("契約切れ", "expired"),
    "weak": Text("弱い方式", "weak"),
    "volume": Text("通信量の異常", "unusual volume"),
    "always_on": Text("つなぎっぱなし", "always on"),
    "dormant": Text("長期不使用", "dormant"),
    "ghost": Text("実体なし", "never seen"),
    "no_register": Text("台帳が空", "no register"),
}


@dataclass(frozen=True)
class Section:
    """A heading, and lines of plain words beneath it."""

    heading: Text
    lines: tuple[Text, ...]


@dataclass(frozen=True)
class Digest:
    """A week in sections; written as text or HTML in either language."""

    hospital: str
    first: datetime
    last: datetime
    sections: tuple[Section, ...]

    def title(self, language: Language) -> str:
        span = f"{self.first:%Y-%m-%d} – {self.last:%Y-%m-%d}"
        name = "週次報告" if language == "ja" else "Weekly report"
        return f"{self.hospital} 見回り {name} {span}"

    def to_text(self, language: Language = "ja") -> str:
        rows = [self.title(language), ""]
        for section in self.sections:
            rows.append(f"■ {_of(section.heading, language)}")
            rows += [f"  ・{_of(line, language)}" for line in section.lines]
            rows.append("")
        return "\n".join(rows)

    def to_html(self, language: Language = "ja") -> str:
        """One file that prints and mails; no script, no style from elsewhere."""
        title = escape(self.title(language))
        parts = [
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">',
            f"<title>{title}</title></head><body><h1>{title}</h1>",
        ]
        for section in self.sections:
            rows = "".join(f"<li>{escape(_of(line, language))}</li>" for line in section.lines)
            parts.append(f"<h2>{escape(_of(section.heading, language))}</h2><ul>{rows}</ul>")
        return "".join(parts) + "</body></html>\n"


def weekly_digest(store: Store, hospital: str, timezone: str, until_ns: int = 0) -> Digest:
    """The seven days that end at `until_ns`; 0 = at the newest thing that was seen."""
    until_ns = until_ns or _newest(store)
    since_ns = until_ns - WEEK_NS
    alerts = [a for a in store.alerts(limit=100_000) if since_ns < a.last_ns <= until_ns]
    zone = ZoneInfo(timezone)
    sections = (
        _incidents(store, alerts, since_ns, until_ns),
        _told(alerts),
        _lines(store),
        _maintenance(store, since_ns, until_ns, zone),
        _ledger(store),
        _unseen(store),
    )
    first, last = (datetime.fromtimestamp(t / 1e9, zone) for t in (since_ns, until_ns))
    return Digest(hospital, first, last, sections)


def _newest(store: Store) -> int:
    seen = int(store.note("collector_health").get("event_ns", 0))
    alerts, slips = store.alerts(limit=1), store.slips(limit=1)
    last = [*(a.last_ns for a in alerts), *(s.slip.last_ns for s in slips)]
    return max(seen, *last) if last else seen or WEEK_NS


def _incidents(store: Store, alerts: list[Alert], since_ns: int, until_ns: int) -> Section:
    within = [i for i in store.incidents(limit=10_000) if since_ns < i.last_ns <= until_ns]
    by_id = {a.id: a for a in alerts}
    pushed = [i for i in within if i.push != "digest"]
    at_once = sum(i.push == "immediate" for i in within)
    rows = [
        Text(
            f"事案 {len(within)} 件（すぐに対応 {at_once} 件、当日中 {len(pushed) - at_once} 件）、"
            f"未完了 {sum(i.state == 'open' for i in pushed)} 件",
            f"{len(within)} incidents ({at_once} at once, {len(pushed) - at_once} the same day), "
            f"{sum(i.state == 'open' for i in pushed)} of these not closed",
        )
    ]
    for incident in pushed[:_MOST_ROWS]:
        gravest = max(
            (by_id[a] for a in incident.alert_ids if a in by_id),
            key=lambda a: a.score,
            default=None,
        )
        if gravest is not None:
            state = Text("完了", "closed") if incident.state == "closed" else Text("未完了", "open")
            rows.append(
                Text(f"{gravest.title.ja}〔{state.ja}〕", f"{gravest.title.en} [{state.en}]")
            )
    return Section(Text("事案", "Incidents"), tuple(rows))


def _told(alerts: list[Alert]) -> Section:
    """What was grave enough to note and not to push, one line each, the commonest first."""
    quiet = [a for a in alerts if a.severity in ("medium", "low") and a.state == "new"]
    several = Counter((a.title.ja, a.title.en) for a in quiet)
    rows = [
        Text(f"{ja}（{n} 件）" if n > 1 else ja, f"{en} ({n})" if n > 1 else en)
        for (ja, en), n in several.most_common(MOST_LINES)
    ]
    left = len(several) - len(rows)
    if left > 0:
        rows.append(Text(f"ほか {left} 種類", f"and {left} more"))
    return Section(
        Text("目を通してほしいこと", "To look through"),
        tuple(rows) or (Text("ありません", "nothing"),),
    )


def _lines(store: Store) -> Section:
    observed = store.observed_lines()
    names = {row.ip: row.name for row in compare_assets(store)}
    counts = Counter(str(line["verdict"]) for line in observed)
    rows = [
        Text(f"{_VERDICTS[v].ja}：{n} 回線", f"{_VERDICTS[v].en}: {n}")
        for v, n in counts.most_common() if v in _VERDICTS
    ]  # fmt: skip
    for line in [o for o in observed if o["verdict"] == "unregistered"][:_MOST_ROWS]:
        device, label = str(line["device_ip"]), line["label"]
        ends = f"{names.get(device) or device} → {line['outside']}"
        rows.append(Text(f"台帳にない：{ends}（{label}）", f"not registered: {ends} ({label})"))
    return Section(
        Text("外部接続", "Outside lines"),
        tuple(rows) or (Text("院外への回線は見えていません", "no outside line was seen"),),
    )


def _maintenance(store: Store, since_ns: int, until_ns: int, zone: ZoneInfo) -> Section:
    slips = [s for s in store.slips(limit=10_000) if since_ns < s.slip.last_ns <= until_ns]
    waiting = [s for s in slips if not s.confirmed_by and not s.slip.is_open]
    rows = [
        Text(
            f"遠隔保守 {len(slips)} 件、うち病院の確認待ち {len(waiting)} 件",
            f"{len(slips)} remote jobs, {len(waiting)} of them not confirmed yet",
        )
    ]
    for found in slips:
        slip = found.slip
        if slip.is_in_scope and slip.is_in_hours:
            continue
        why = (
            Text("範囲外", "out of scope")
            if not slip.is_in_scope
            else Text("時間外", "out of hours")
        )
        at = datetime.fromtimestamp(slip.first_ns / 1e9, zone).strftime("%m-%d %H:%M")
        rows.append(
            Text(f"{why.ja}：{at} {slip.vendor}（{slip.line}）",
                 f"{why.en}: {at} {slip.vendor} ({slip.line})")
        )  # fmt: skip
    end = datetime.fromtimestamp(until_ns / 1e9, zone)
    coming = [b for b in store.bookings() if not b.is_cancelled and b.end > end]
    rows += [
        Text(f"予定：{b.start.astimezone(zone):%m-%d %H:%M} {b.line} {b.person}（{b.purpose}）",
             f"booked: {b.start.astimezone(zone):%m-%d %H:%M} {b.line} {b.person} ({b.purpose})")
        for b in coming[:_MOST_ROWS]
    ]  # fmt: skip
    return Section(Text("遠隔保守", "Remote maintenance"), tuple(rows[: MOST_LINES + 1]))


def _ledger(store: Store) -> Section:
    counts = Counter(row.verdict for row in compare_assets(store))
    return Section(
        Text("機器台帳", "Asset ledger"),
        (
            Text(
                f"台帳にない {counts['unlisted']} 台、見えない {counts['missing']} 台、"
                f"相違 {counts['mismatch']} 台、一致 {counts['match']} 台",
                f"{counts['unlisted']} unlisted, {counts['missing']} unseen, "
                f"{counts['mismatch']} differ, {counts['match']} agree",
            ),
        ),
    )


def _unseen(store: Store) -> Section:
    """What the sensor could not see; this section is never empty."""
    health = store.note("collector_health")
    rows = [
        Text(f"{lane}：{why['ja']}", f"{lane}: {why['en']}")
        for lane, why in health.get("blind", {}).items()
    ]
    for cause, count in health.get("shed", {}).items():
        if count:
            why = why_shed(cause)
            rows.append(
                Text(f"取りこぼし {count:,} 件（{cause}）。{why.ja}",
                     f"{count:,} shed ({cause}). {why.en}")
            )  # fmt: skip
    rows.append(
        Text(
            "機器自身の外部回線（テザリングなど）を流れる通信そのものは、どこに置いても見えません",
            "what flows over a device's own outside line is unseen wherever the sensor stands",
        )
    )
    return Section(Text("見えていないこと", "What could not be seen"), tuple(rows))


def _of(text: Text, language: Language) -> str:
    return text.ja if language == "ja" else text.en
