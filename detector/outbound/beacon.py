"""Beacon (BC): an inside host calls the same outside place at regular times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APPS
from detector.detection import Category, Detector, Finding, Window
from detector.distinct import distinct
from detector.lateral.contacts import flow_keys
from detector.outbound.beacon_kernels import merge_calls, score_calls, survey
from detector.outbound.calls import CALL, Calls, sources_by_place
from detector.outbound.regularity import BARS, Regularity, regularity
from detector.words import Text, Wording

_S: Final = 1_000_000_000
_DAY_S: Final = 86_400
_FULL_S: Final = 86_000  # a day of which the first minutes may be missing
_HOUR_S: Final = 3600
_SLOW_BARS: Final = 28  # a week in bars of six hours
_ROUNDING: Final = 1e-6  # by which the compiled score may differ
_UNTOLD: Final = 0.25  # a share that is neither rare nor common
#: Callers of a public place, where no plan tells who is ours: more, and the place is the one here.
_OWN_CALLERS: Final = 2
_SLOW_CALLS: Final = 40  # a day; what calls more often is judged by the day


@dataclass
class _Memory:
    calls: Calls = field(default_factory=Calls)
    judged_ns: int = 0
    judged_week_ns: int = 0
    judged_at: dict[int, tuple[int, int]] = field(default_factory=dict)  # group → calls, second


#: Above 1023, where programs and proxies speak the web.
_USUAL_PORTS: Final = (3128, 8000, 8008, 8080, 8443, 8530, 8531)


class Beacon(Detector):
    """A host calls the same place across the border at regular times, by RITA's four scores.

    Per source and destination (by name where TLS or HTTP tells it) the connections of the last
    24 hours are scored for regular gaps, equal sizes, even spread and duration, with the formulas
    that Active Countermeasures published for RITA v5. A second pass looks every six hours at a
    whole week, for what calls a few times a day. As in RITA, a place that at most 2 % of the
    sources call counts 0.15 more, one that half of them call 0.15 less; one that was first called
    within 7 days 0.15 more, 30 days ago or longer 0.15 less (once the memory is a week old); a
    TLS fingerprint or user agent that nobody else here uses 0.15 more, HTTP without a Host 0.10
    more. Alerts at 0.90, or where the bare score is 0.80 and the place both rare and new. More
    than 86,399 connections a day are a "strobe". Calls to an inside web proxy count as calls
    outside, and so do regular calls from outside to a host here.

    While less than a day has been observed, the span is what was observed so far, so that a short
    capture can be judged: an hour's worth of calls every two seconds fills its bars as a day's
    worth of calls every minute does. Then at least 30 connections are needed, so that every bar
    could hold one, and the score is capped at 60 because nobody knows yet what is usual here.

    Why it matters: malware asks its master for orders; an outside line nobody knows of keeps
    itself open the same way.

    False alarms: antivirus and telemetry clouds, licence servers, chat; approve what is known.
    NTP, DNS, SNMP, VPN keep-alives and the like are left out, and so are the outside ends of
    registered lines. Sampled input is not used.
    """

    id = "beacon"
    category: ClassVar[Category] = "command_and_control"
    techniques = ("T1071.001", "T1573")
    gather_s = 300
    wordings = {
        "": Wording(
            Text(
                "{source} が {gap} 秒ごとに {place} と通信しています（{connections} 回）",
                "{source} calls {place} every {gap} s ({connections} times)",
            ),
            Text(
                "間隔と大きさが機械的に揃っており（規則性 {regularity}）、"
                "遠隔操作プログラムが指令を待つ"
                "通信に似ています。ウイルス対策や更新確認の可能性もあります。",
                "Gaps and sizes are mechanically regular ({regularity} of 1), as when malware "
                "waits "
                "for orders. Antivirus and update checks can look alike.",
            ),
            Text(
                "{place} が業務で使う先か、情報システム担当と機器の保守業者に確認してください。"
                "不明なら"
                "ファイアウォールでこの宛先を止め、{source} のプログラムを調べてください。",
                "Ask IT and the machine's vendor whether {place} is known. If not, block it at the "
                "firewall and find out which program on {source} calls it.",
            ),
        ),
        "strobe": Wording(
            Text(
                "{source} が外部の {place} へ絶え間なく接続しています（1 日 {connections} 回）",
                "{source} connects to {place} outside without pause ({connections} a day)",
            ),
            Text(
                "1 日 8 万回を超える接続は、壊れたソフトか、攻撃への加担か、トンネルを疑います。",
                "More than 86,000 connections a day mean broken software, an attack or a tunnel.",
            ),
            Text(
                "{source} の利用部署と保守業者に、この宛先への通信を止めてよいか確認してください。",
                "Ask the department and vendor of {source} whether this traffic may be stopped.",
            ),
        ),
    }

    alert_score: float = Field(default=0.9, gt=0, le=1, description="score that alerts")
    rare_new_score: float = Field(
        default=0.8, gt=0, le=1, description="bare score that alerts if the place is rare and new"
    )
    least_score: float = Field(
        default=0.75, gt=0, le=1, description="bare score below which nothing is told"
    )
    every_s: int = Field(default=300, ge=300, description="event time between two judgements")
    most_connections: int = Field(
        default=4_000_000, ge=10_000, description="connections kept; the oldest go first"
    )

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        memory.judged_ns = memory.judged_ns or window.start_ns
        memory.judged_week_ns = memory.judged_week_ns or window.start_ns
        memory.calls.note(window)
        # Within the first day calls are judged often; later a day hardly changes in an hour.
        observed_s = (window.end_ns - memory.calls.start_ns) // _S
        every_s = self.every_s if observed_s < _FULL_S + _HOUR_S else _HOUR_S
        if window.end_ns - memory.judged_ns >= every_s * _S and memory.calls.fresh:
            memory.judged_ns = window.end_ns
            yield from self._judge_day(window, memory)
        if window.end_ns - memory.judged_week_ns >= 6 * _HOUR_S * _S:
            memory.judged_week_ns = window.end_ns
            yield from self._judge_week(window, memory)

    def _judge_day(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        calls, end = memory.calls, window.end_ns // _S
        fresh = calls.take_fresh()
        span_start = max(calls.start_ns // _S, end - _DAY_S)
        calls.day = self._kept(calls.day, fresh, span_start)
        touched = distinct(fresh["group"])
        least = 30 if end - span_start < _FULL_S else 4
        yield from self._judge(window, memory, calls.day, touched, span_start, least, BARS)

    def _judge_week(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        """The slow pass: places that are called a few times a day, once a week was observed."""
        calls, end = memory.calls, window.end_ns // _S
        span_start = end - 7 * _DAY_S
        week = self._kept(calls.week, calls.take_week_fresh(), span_start)
        groups, numbers = _survey(week, span_start, end, _SLOW_BARS)
        is_busy = numbers[:, 1] > 7 * _SLOW_CALLS
        calls.week = week[~np.repeat(is_busy, numbers[:, 1])] if is_busy.any() else week
        if end - calls.start_ns // _S < 7 * _FULL_S:
            return
        slow = groups[(numbers[:, 1] >= _SLOW_BARS // 2) & ~is_busy]
        yield from self._judge(window, memory, calls.week, slow, span_start, 14, _SLOW_BARS)

    def _kept(self, ordered: NDArray[Any], fresh: NDArray[Any], since: int) -> NDArray[Any]:
        """The ordered calls and the fresh ones since then, by group and time; the oldest go."""
        ours, theirs = (int((calls["second"] >= since).sum()) for calls in (ordered, fresh))
        skipped = max(0, ours + theirs - self.most_connections)
        if theirs > self.most_connections:
            fresh = fresh[fresh["second"] >= since][-self.most_connections :]
            theirs = len(fresh)
        fresh = fresh[np.lexsort((fresh["second"], fresh["group"]))]
        kept = np.empty(max(0, ours - skipped) + theirs, CALL)
        merge_calls(ordered, fresh, since, skipped, kept)
        return kept

    def _judge(
        self,
        window: Window,
        memory: _Memory,
        every: NDArray[Any],
        touched: NDArray[np.uint64],
        span_start: int,
        least: int,
        bars: int,
    ) -> Iterator[Finding]:
        """Score the groups that could reach the least score."""
        end = window.end_ns // _S
        groups, numbers = _survey(every, span_start, end, bars)
        start, counts, filled = numbers.T
        wanted = _are_among(groups, touched) & (counts >= least)
        wanted &= filled * BARS >= 6 * bars  # few bars cannot score
        is_full = end - span_start >= _FULL_S
        is_ours = window.hosts.inside((groups >> np.uint64(32)).astype(np.uint32))
        # From outside, a guesser of passwords is as regular while it lasts; a day tells them apart.
        if not is_full and (wanted & ~is_ours).any():
            wanted &= is_ours | self._may_be_ours(window, groups, every["target"][start])
        wanted |= counts >= _DAY_S
        if not wanted.any():
            return
        used_by: dict[int, int] | None = None  # counted once something is regular enough
        sources = 0
        least_told = min(self.least_score, self.rare_new_score) - _ROUNDING
        for at in np.flatnonzero(wanted).tolist():
            group, count = int(groups[at]), int(counts[at])
            if not _is_due(memory, group, count, end, is_full, bars):
                continue
            mine = every[int(start[at]) : int(start[at]) + count]
            if count >= _DAY_S:
                yield self._finding(window, memory, mine, "strobe", 60.0, None)
                continue
            bare = score_calls(mine["second"], mine["bytes"], span_start, end, bars)
            if bare >= least_told:
                # How usual a place is can be told of inside sources only, and of enough of them.
                if used_by is None:
                    used_by = sources_by_place(groups[is_ours])
                    sources = len(distinct(groups[is_ours] >> np.uint64(32)))
                users = used_by.get(group & 0xFFFF_FFFF, 0) if sources >= 20 else 0
                share = users / sources if users else _UNTOLD
                extra, is_rare_new = self._context(window, memory, mine, share)
                if not self._is_told(bare + _ROUNDING, extra, is_rare_new):
                    continue  # before the columns are measured once more for the words
                measured = regularity(mine["second"], mine["bytes"], span_start, end, bars)
                if self._is_told(measured.score, extra, is_rare_new):
                    cap = 100.0 if is_full else 60.0
                    score = min(cap, 100 * (measured.score + extra))
                    yield self._finding(window, memory, mine, "", score, measured)
        if len(memory.judged_at) > 500_000:
            memory.judged_at.clear()

    @staticmethod
    def _may_be_ours(
        window: Window, groups: NDArray[np.uint64], target: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Without a plan, who calls from a public address what hardly anybody else calls."""
        source = (groups >> np.uint64(32)).astype(np.uint32)
        is_inside = window.hosts.inside(source) | window.hosts.inside(target.astype(np.uint32))
        _, place, users = np.unique(
            groups & np.uint64(0xFFFF_FFFF), return_inverse=True, return_counts=True
        )
        return np.asarray(~is_inside & (users[place] <= _OWN_CALLERS), bool)

    def _context(
        self, window: Window, memory: _Memory, mine: NDArray[Any], share: float
    ) -> tuple[float, bool]:
        """What the place adds to the score, and whether it is both rare and new."""
        group = int(mine["group"][0])
        rare = 1 if share <= 0.02 else -1 if share >= 0.5 else 0
        new = self._newness(window, memory, mine)
        extra = 0.15 * rare + 0.15 * new
        extra += 0.15 * memory.calls.is_rare_mark(group) * (share != _UNTOLD)
        extra += 0.10 * memory.calls.has_no_host(group)
        return extra, rare > 0 and new > 0

    def _is_told(self, bare: float, extra: float, is_rare_new: bool) -> bool:
        is_high = bare + extra >= self.alert_score and bare >= self.least_score
        return is_high or (bare >= self.rare_new_score and is_rare_new)

    def _newness(self, window: Window, memory: _Memory, mine: NDArray[Any]) -> int:
        """+1 first called within 7 days, -1 known for 30; 0 while nobody can know."""
        observed_days = max(
            window.edges.active_days, (window.end_ns - memory.calls.start_ns) // _S // _DAY_S
        )
        if observed_days <= 7:
            return 0
        group, target = int(mine["group"][0]), int(mine["target"][-1])
        first = memory.calls.first_call.get(group & 0xFFFF_FFFF, int(mine["second"][0]))
        age_days = (window.end_ns // _S - first) / _DAY_S
        # What an earlier run learnt outlives the detector's own memory.
        ends = np.array([group >> 32]), np.array([target])
        is_known = bool(window.edges.has_spoken(*ends)[0])
        began_days = (window.end_ns - memory.calls.start_ns) / _S / _DAY_S
        if is_known and age_days >= began_days - 1:
            age_days = float(observed_days)
        return -1 if age_days >= 30 else 1 if age_days <= 7 else 0

    def _finding(
        self,
        window: Window,
        memory: _Memory,
        mine: NDArray[Any],
        variant: str,
        score: float,
        measured: Regularity | None,
    ) -> Finding:
        group, target = int(mine["group"][0]), int(mine["target"][-1])
        place = memory.calls.place(group, window)
        app = APPS[memory.calls.app_of_group.get(group, 0)]
        # Both ours: an inside web proxy was called, by whatever application.
        is_relayed = all(window.hosts.get(n).is_inside for n in (group >> 32, target))
        rows = np.flatnonzero((window.source == group >> 32) & (window.destination == target))
        return Finding(
            source=window.hosts.ip(group >> 32),
            targets=tuple(window.hosts.ip(int(t)) for t in distinct(mine["target"])[:20]),
            score=score,
            confidence=0.85,
            first_ns=int(mine["second"][0]) * _S,
            last_ns=int(mine["second"][-1]) * _S,
            facts={
                "place": place,
                "gap": round(measured.median_gap_s) if measured else 0,
                "connections": len(mine),
                "regularity": f"{measured.score:.3f}" if measured else "-",
                "gap_score": round(measured.times, 3) if measured else 0,
                "size_score": round(measured.sizes, 3) if measured else 0,
                "histogram_score": round(measured.histogram, 3) if measured else 0,
                "duration_score": round(measured.duration, 3) if measured else 0,
            },
            variant=variant,
            key=place,
            techniques=_techniques(window, rows, app, is_relayed),
            app=app,
            flows=flow_keys(window.flows, rows),
            warmth=min(1.0, window.edges.active_days / 1),
        )


def _techniques(
    window: Window, rows: NDArray[np.int64], app: str, is_relayed: bool
) -> tuple[str, ...]:
    """Calls by the web, sealed or not; through a proxy; where the web is not spoken."""
    told = ["T1071.001", "T1573", *(["T1090.001"] if is_relayed or app == "http_proxy" else [])]
    ports = window.flows.destination_port[rows]
    if app in ("unknown", "http", "tls") and len(ports) and (ports >= 1024).all():
        told += [] if np.isin(ports, _USUAL_PORTS).any() else ["T1571"]
    return tuple(told)


def _are_among(groups: NDArray[np.uint64], some: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of the ordered groups are among some others."""
    among = np.zeros(len(groups), bool)
    at = np.searchsorted(groups, some)
    at = at[at < len(groups)]  # both are in order: only the last can lie beyond
    among[at[groups[at] == some[: len(at)]]] = True
    return among


def _survey(
    calls: NDArray[Any], span_start: int, span_end: int, bars: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The groups of the ordered calls, and of each where it begins, its calls and filled bars."""
    groups, numbers = np.empty(len(calls), np.uint64), np.empty((len(calls), 3), np.int64)
    count = survey(calls, span_start, span_end, bars, groups, numbers)
    return groups[:count], numbers[:count]


def _is_due(memory: _Memory, group: int, count: int, end: int, is_full: bool, bars: int) -> bool:
    """A group is judged anew when it grew by a tenth, when the day is whole, or after six hours."""
    key = group if bars == BARS else ~group
    judged = memory.judged_at.get(key)
    if judged is not None:
        grew = count >= judged[0] * 1.1
        waited = is_full and end - judged[1] >= 6 * _HOUR_S
        became_full = is_full and judged[1] < memory.calls.start_ns // _S + _FULL_S
        if not (grew or waited or became_full):
            return False
    memory.judged_at[key] = (count, end)
    return True
