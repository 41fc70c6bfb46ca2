"""Exfiltration (XF): a host sends out far more than it ever does at this hour or in a week."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.fastlane.layout import OUTPUT_DTYPE
from detector.baselines.volume import Volumes
from detector.detection import Category, Detector, Finding, Window, app_table
from detector.edges import DAY_NS, HOUR_NS
from detector.lateral.contacts import flow_keys
from detector.outbound.sent_kernels import add_sent
from detector.words import Text, Wording

_STORES: Final = frozenset({"database", "pacs", "file_server", "emr_server"})
_IS_STORE: Final = app_table(
    ("smb", "dicom", "mssql", "oracle", "postgres", "mysql", "intersystems")
)
_SILENT: Final = -1.0
_WORDS = Text(
    ja="{source} の利用者と {target} との契約（クラウド、遠隔読影など）を確認してください。"
    "心当たりが"
    "なければ {target} への通信をファイアウォールで止め、送った中身を確かめます。患者情報が含まれる"
    "恐れがあれば、個人情報の漏えい時の手順に従って報告してください。",
    en="Ask the user of {source}, and whether a contract with {target} exists (cloud, "
    "tele-reading). If nobody knows, block {target} at the firewall and find out what was sent; if "
    "patient data may be in it, follow the procedure for leaks.",
)


@dataclass
class _Memory:
    sent: Volumes = field(default_factory=Volumes)
    hour: int = -1
    day: int = -1
    #: By host number: bytes out and in this hour, _SILENT for a host that sent nothing outside.
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    today: dict[int, float] = field(default_factory=dict)
    ends: OrderedDict[int, dict[int, tuple[float, int]]] = field(default_factory=OrderedDict)
    read: OrderedDict[int, tuple[float, int]] = field(default_factory=OrderedDict)
    known: OrderedDict[tuple[int, int], int] = field(default_factory=OrderedDict)
    told: dict[int, int] = field(default_factory=dict)


class Exfiltration(Detector):
    """A host sends out more than it ever did: in an hour of its week, or over a week of drops.

    *Burst*: bytes sent outside in an hour exceed 100 MB, the hour's own past by z > 6 (median and
    MAD of up to eight weeks), and mostly go out. *Drip*: the last seven days exceed five times the
    usual week and 100 MB, with a new destination among them. 15 points more where the host read
    as much from a database, image archive or file server within a day. Without four weeks of
    past a burst needs 1 GB and a destination that is new, and scores at most 60.

    Why it matters: data is copied out before it is encrypted; the threat to publish needs it.

    False alarms: a new cloud backup, tele-reading, an AI service: put the line in the register.
    """

    id = "exfiltration"
    category: ClassVar[Category] = "exfiltration"
    techniques = ("T1041", "T1048", "T1567")
    gather_s = 300
    wordings = {
        "burst": Wording(
            Text(
                "{source} が 1 時間に {mb} MB を院外の {target} ほかへ送りました",
                "{source} sent {mb} MB to {target} and others outside within an hour",
            ),
            Text(
                "この時間帯の普段は {usual_mb} MB 程度です（{z} 倍の外れ）。"
                "直前に院内のデータベース等から "
                "{staged_mb} MB を読み出しています。",
                "At this hour it usually sends about {usual_mb} MB (z {z}). It read {staged_mb} MB "
                "from databases and file servers inside shortly before.",
            ),
            _WORDS,
        ),
        "drip": Wording(
            Text(
                "{source} が 7 日間で {mb} MB を院外の {target} ほかへ少しずつ送っています",
                "{source} sent {mb} MB to {target} and others outside, little by little in 7 days",
            ),
            Text(
                "普段の 1 週間は {usual_mb} MB 程度です。目立たない量に分けた持ち出しの形です。"
                "院内のデータベース等からの読み出しは {staged_mb} MB です。",
                "A usual week has about {usual_mb} MB: it is how data leaves in portions that "
                "nobody notices. It read {staged_mb} MB from stores inside.",
            ),
            _WORDS,
        ),
    }

    least_mb: float = Field(default=100.0, gt=0, description="MB below which nothing is told")
    cold_mb: float = Field(default=1000.0, gt=0, description="MB in an hour that tell without past")
    z: float = Field(default=6.0, gt=0, description="robust z of an hour that tells")
    week_ratio: float = Field(default=5.0, gt=1, description="times the usual week that tell")

    def remember(self) -> _Memory:
        return _Memory()

    def shed(self, memory: Any) -> Mapping[str, int]:
        return {"baseline: hosts without one of volume": memory.sent.shed}

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        if memory.hour < 0:
            memory.hour = self._local_hour(window)
        hour = self._local_hour(window)
        if hour != memory.hour:
            yield from self._end_hour(window, memory)
            if hour // 24 != memory.hour // 24:
                yield from self._end_day(window, memory)
            memory.hour = hour
        flows = window.flows
        if len(flows) == 0:
            return
        if len(memory.sums) < len(window.hosts):
            grown = np.full((2 * len(window.hosts), 2), _SILENT)
            grown[: len(memory.sums)] = memory.sums
            memory.sums = grown
        large, stores = (np.empty(len(flows), np.int64) for _ in range(2))
        counts = add_sent(
            flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, window.marks,
            window.hosts.traits, _IS_STORE, memory.sums, large, stores,
        )  # fmt: skip
        self._note_ends(window, memory, large[: counts[0]])
        for row in stores[: counts[1]].tolist():
            source = int(window.source[row])
            read, since = memory.read.get(source, (0.0, window.start_ns))
            if window.start_ns - since > DAY_NS:
                read, since = 0.0, window.start_ns
            memory.read[source] = (read + float(flows.reply_bytes[row]), since)
        while len(memory.read) > 20_000:
            memory.read.popitem(last=False)

    def _note_ends(
        self, window: Window, memory: _Memory, rows: np.ndarray[Any, np.dtype[np.int64]]
    ) -> None:
        flows = window.flows
        for row in rows.tolist():
            ends = memory.ends.setdefault(int(window.source[row]), {})
            target = int(window.destination[row])
            before, first = ends.get(target, (0.0, int(flows.first_ns[row])))
            if target in ends or len(ends) < 64:
                ends[target] = (before + float(flows.bytes[row]), first)

    def _end_hour(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        hosts = np.flatnonzero((memory.sums >= 0).all(axis=1)).astype(np.uint32)
        sums = memory.sums[hosts]
        memory.sums[:] = _SILENT
        rows = memory.sent.rows(hosts)
        hosts, sums, rows = hosts[rows >= 0], sums[rows >= 0], rows[rows >= 0]
        bin_of = self._bin(window, memory.hour)
        values = np.log1p(sums[:, 0])
        z, middle = memory.sent.score_hour(rows, values, bin_of)
        for place in np.flatnonzero(sums[:, 0] >= self.least_mb * 1e6).tolist():
            sent, received = sums[place]
            if self._is_habit(memory, int(hosts[place]), int(rows[place]), float(sent)):
                continue
            is_out = (sent - received) / (sent + received) > 0.6
            is_cold = bool(np.isnan(z[place])) or memory.sent.day_count < 14
            is_much = sent >= self.cold_mb * 1e6 if is_cold else z[place] > self.z
            if is_out and is_much:
                usual = 0.0 if is_cold else float(np.expm1(middle[place]))
                yield from self._tell(
                    window, memory, int(hosts[place]), "burst", sent, usual,
                    0.0 if is_cold else float(z[place]), is_cold,
                )  # fmt: skip
        memory.sent.keep_hour(rows, values, bin_of)
        for host, (sent, _) in zip(hosts.tolist(), sums.tolist(), strict=True):
            memory.today[host] = memory.today.get(host, 0.0) + sent

    def _is_habit(self, memory: _Memory, host: int, row: int, sent: float) -> bool:
        """It went to where it has gone for a week, and a day of the last 90 had a third as much."""
        ends = memory.ends.get(host, {})
        most = max(ends, key=lambda end: ends[end][0], default=-1)
        first = memory.known.get((host, most))
        is_known = first is not None and ends[most][1] - first >= 7 * DAY_NS
        return is_known and sent <= 3 * float(memory.sent.highest(np.array([row]))[0])

    def _end_day(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        counted, memory.today = memory.today, {}
        hosts = np.array(list(counted), np.uint32)
        rows = memory.sent.rows(hosts)
        kept = rows >= 0
        totals = np.log1p(np.array(list(counted.values()), np.float64))
        memory.sent.keep_day(rows[kept], totals[kept])
        hosts, rows = hosts[kept], rows[kept]
        if memory.sent.day_count >= 14 and len(rows):
            week, usual = memory.sent.week(rows)
            much = (week >= self.least_mb * 1e6) & (week > self.week_ratio * np.maximum(usual, 1e6))
            for place in np.flatnonzero(much).tolist():
                host = int(hosts[place])
                since = window.start_ns - 8 * DAY_NS
                is_new = any(
                    first >= since and memory.known.get((host, end), first) >= since
                    for end, (_, first) in memory.ends.get(host, {}).items()
                )
                if is_new and memory.told.get(host, 0) < window.start_ns - 7 * DAY_NS:
                    yield from self._tell(
                        window, memory, host, "drip", float(week[place]), float(usual[place]),
                        0.0, False,
                    )  # fmt: skip
        for host, ends in memory.ends.items():
            for end, (_, first) in ends.items():
                memory.known.setdefault((host, end), first)
        memory.ends.clear()
        while len(memory.known) > 200_000:
            memory.known.popitem(last=False)

    def _tell(
        self, window: Window, memory: _Memory, host: int, variant: str, sent: float, usual: float,
        z: float, is_cold: bool,
    ) -> Iterator[Finding]:  # fmt: skip
        ends = sorted(memory.ends.get(host, {}).items(), key=lambda e: -e[1][0])[:10]
        if not ends:
            return
        if is_cold and any((host, end) in memory.known for end, _ in ends[:1]):
            return
        memory.told[host] = window.start_ns
        read, since = memory.read.get(host, (0.0, 0))
        staged = read if window.start_ns - since <= 2 * DAY_NS else 0.0
        flows = window.flows
        mine = np.flatnonzero(window.source == host)
        yield Finding(
            source=window.hosts.ip(host),
            targets=tuple(window.hosts.ip(end) for end, _ in ends),
            score=min(60.0 if is_cold else 90.0, 60.0 + (15.0 if staged >= 0.8 * sent else 0.0)
                      + min(15.0, 2 * max(0.0, z - self.z))),
            confidence=0.9,
            first_ns=min(first for _, (_, first) in ends),
            last_ns=window.start_ns,
            facts={
                "mb": round(sent / 1e6),
                "usual_mb": round(usual / 1e6, 1),
                "z": round(z, 1),
                "staged_mb": round(staged / 1e6),
            },
            variant=variant,
            key=window.hosts.ip(host),
            flows=flow_keys(flows, mine),
            warmth=min(1.0, memory.sent.day_count / 28),
        )  # fmt: skip

    def _local_hour(self, window: Window) -> int:
        zone = ZoneInfo(window.hospital.timezone)
        at = datetime.fromtimestamp(window.start_ns // 1_000_000_000, UTC).astimezone(zone)
        offset = at.utcoffset()
        shift = int(offset.total_seconds()) * 1_000_000_000 if offset else 0
        return (window.start_ns + shift) // HOUR_NS

    def _bin(self, window: Window, hour: int) -> int:
        """0-23 of a working day, 24-47 of a day off (1970-01-01 was a Thursday)."""
        is_off = (hour // 24 + 3) % 7 >= 5
        return hour % 24 + (24 if is_off else 0)
