"""Signs of ransomware beyond one share (LM-7): printers, many servers, backups, silent guards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.flows import FlowBatch
from collector.sightings import Smb
from detector.detection import Category, Detector, Finding, Window
from detector.impact.mass_words import WORDINGS
from detector.lateral.calls import flow_of, is_write
from detector.lateral.contacts import flow_keys, texts
from detector.sift import sift
from detector.sift_kernels import CONSOLE, PRINTS, REWRITES

_S: Final = 1_000_000_000
#: Who writes to many servers by trade.
_WRITERS: Final = frozenset(
    {"backup", "wsus", "scanner", "file_server", "domain_controller", "admin"}
)
#: What copiers make of paper.
_SCANS: Final = (".pdf", ".tif", ".tiff", ".jpg", ".jpeg", ".xps")
#: Who reads and writes alike by trade; from a controller it is an intruder's hand.
_COPIERS: Final = frozenset({"backup", "file_server"})
_MOST: Final = 20_000
#: Reading and writing alike is summed over so long, and over so many flows of a pair.
_REWRITING_S: Final = 600
_MOST_STRETCHES: Final = 200


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A flow, or a part of one, that read and wrote alike."""

    first_ns: int
    last_ns: int
    sent: int
    read: int
    is_fast: bool


@dataclass
class _Memory:
    printers: OrderedDict[int, dict[int, int]] = field(default_factory=OrderedDict)
    servers: OrderedDict[str, dict[str, int]] = field(default_factory=OrderedDict)
    shares: OrderedDict[tuple[int, int], list[_Stretch]] = field(default_factory=OrderedDict)


class MassEffect(Detector):
    """One host prints to many printers at once, writes to many servers, or reaches for backups.

    *Print storm*: ten printers within five minutes that it never printed to. *Many servers*: files
    written by SMB to five servers within ten minutes that it never wrote to. *Rewriting*: an SMB
    conversation reads and writes alike (ratio 0.7-1.4) at more than 5 MB/s for three minutes within
    ten, as encryption does; this is all that flow exports can tell. Slower, from 1 MB/s, it is told
    once 450 MB went each way in these minutes, where both ways agree within an eighth. *Backup*: a
    first session with a backup server's console. Needs three days of memory, but for many servers.

    Why it matters: at Handa every printer wrote the ransom note; backups are always next.

    False alarms: print server moves, software distribution, synchronisation between file servers
    (roles that write by trade are exempt).
    """

    id = "mass_effect"
    category: ClassVar[Category] = "impact"
    techniques = ("T1486",)
    wordings = WORDINGS

    least_printers: int = Field(default=10, ge=3, description="new printers in five minutes")
    least_servers: int = Field(default=5, ge=3, description="servers written to in ten minutes")
    rewrite_mb_s: float = Field(default=5.0, gt=0, description="MB/s each way that tell")
    rewrite_s: int = Field(default=180, ge=30, description="seconds of reading and writing alike")
    slow_mb_s: float = Field(default=1.0, gt=0, description="MB/s each way that tell with much")
    slow_mb: float = Field(
        default=450.0, gt=0, description="MB each way, in ten minutes, that tell"
    )

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        if window.of(Smb):
            yield from self._servers(window, memory)
        flows = window.flows
        if len(flows) == 0:
            return
        sifted = window.once(sift)
        alike = sifted.rows(REWRITES)
        if len(alike):
            yield from self._rewriting(window, memory, alike)
        if window.edges.active_days < 3:
            return
        printing, consoles = sifted.rows(PRINTS), sifted.rows(CONSOLE)
        if len(printing):
            yield from self._printers(window, memory, printing)
        if len(consoles):
            yield from self._backups(window, consoles)

    def _printers(
        self, window: Window, memory: _Memory, rows: np.ndarray[Any, np.dtype[np.int64]]
    ) -> Iterator[Finding]:
        flows = window.flows
        ends = (window.source[rows], window.destination[rows])
        known = window.edges.has_spoken(*ends)
        touched: dict[int, list[int]] = {}
        for row in rows[~known].tolist():
            source = int(window.source[row])
            met = memory.printers.setdefault(source, {})
            met[int(window.destination[row])] = int(flows.first_ns[row])
            touched.setdefault(source, []).append(row)
        for source, at in touched.items():
            now = int(flows.first_ns[at].max())
            met = {p: t for p, t in memory.printers[source].items() if t > now - 300 * _S}
            memory.printers[source] = met
            if len(met) >= self.least_printers:
                yield Finding(
                    source=window.hosts.ip(source),
                    targets=texts(window, met),
                    score=90.0,
                    confidence=0.9,
                    first_ns=min(met.values()),
                    last_ns=now,
                    facts={"count": len(met)},
                    variant="printers",
                    key=window.hosts.ip(source),
                    techniques=("T1486", "T1491.001"),
                    flows=flow_keys(flows, at),
                )
        while len(memory.printers) > _MOST:
            memory.printers.popitem(last=False)

    def _servers(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        touched: dict[str, Smb] = {}
        for smb in window.of(Smb):
            if not is_write(smb) or not smb.file or "IPC$" in smb.tree.upper():
                continue
            if window.hosts.at(smb.ip).role == "printer" and smb.file.lower().endswith(_SCANS):
                continue  # a copier puts what it scanned into people's folders
            met = memory.servers.setdefault(smb.ip, {})
            if smb.peer_ip not in met:
                pair = (window.hosts.number_of(smb.ip), window.hosts.number_of(smb.peer_ip))
                ends = (np.array([n], np.uint32) for n in pair)
                if window.edges.has_spoken(*ends)[0]:
                    continue
            met[smb.peer_ip] = smb.time_ns
            touched[smb.ip] = smb
        for source, last in touched.items():
            since = last.time_ns - 600 * _S
            met = {s: t for s, t in memory.servers[source].items() if t > since}
            memory.servers[source] = met
            if len(met) >= self.least_servers and window.hosts.at(source).role not in _WRITERS:
                yield Finding(
                    source=source,
                    targets=tuple(met)[:50],
                    score=min(95.0, 75.0 + 3 * (len(met) - self.least_servers)),
                    confidence=0.9,
                    first_ns=min(met.values()),
                    last_ns=last.time_ns,
                    facts={"count": len(met), "file": last.file[-80:]},
                    variant="servers",
                    key=source,
                    techniques=("T1570", "T1486"),
                    flows=(flow_of(last),),
                )
        while len(memory.servers) > _MOST:
            memory.servers.popitem(last=False)

    def _rewriting(
        self, window: Window, memory: _Memory, rows: np.ndarray[Any, np.dtype[np.int64]]
    ) -> Iterator[Finding]:
        """As flows tell it, encrypted or exported: much each way, alike, and for long.

        Exporters report a living connection in parts of a minute or so: the parts of ten minutes
        count together.
        """
        flows = window.flows
        sent = flows.bytes[rows].astype(float)
        seconds = np.maximum((flows.last_ns[rows] - flows.first_ns[rows]) / _S, 1.0)
        ratio = flows.reply_bytes[rows].astype(float) / np.maximum(sent, 1)
        fast = sent >= self.rewrite_mb_s * 1e6 * seconds  # `sift_kernels` says alike
        slow = (ratio >= 0.875) & (ratio <= 1.125) & (sent >= self.slow_mb_s * 1e6 * seconds)
        chosen = fast | slow
        told: dict[tuple[int, int], int] = {}
        for row, is_fast in zip(rows[chosen].tolist(), fast[chosen].tolist(), strict=True):
            pair = (int(window.source[row]), int(window.destination[row]))
            _add_stretch(memory, pair, flows, row, is_fast)
            told[pair] = row
        for pair, row in told.items():
            stretches = memory.shares[pair]
            host, server = (window.hosts.get(n) for n in pair)
            is_fast = _covered_s([s for s in stretches if s.is_fast]) >= self.rewrite_s
            if host.role in _COPIERS or not (is_fast or self._is_much(stretches)):
                continue
            first, last = stretches[0].first_ns, max(s.last_ns for s in stretches)
            yield Finding(
                source=host.ip,
                targets=(server.ip,),
                score=70.0 if is_fast else 68.0,  # both medium, by the confidence
                confidence=0.75,
                first_ns=first,
                last_ns=last,
                facts={
                    "mb": round(sum(s.sent for s in stretches) / 1e6),
                    "read_mb": round(sum(s.read for s in stretches) / 1e6),
                    "minutes": round((last - first) / 60e9),
                },
                variant="rewriting",
                app="smb",
                flows=flow_keys(flows, [row]),
            )

    def _is_much(self, stretches: Sequence[_Stretch]) -> bool:
        """Not fast, but both ways agree closely, it lasts, and sums up."""
        close = [s for s in stretches if 0.875 <= s.read / max(s.sent, 1) <= 1.125]
        is_lasting = _covered_s(close) >= self.rewrite_s
        return is_lasting and sum(s.sent for s in close) >= self.slow_mb * 1e6

    def _backups(
        self, window: Window, rows: np.ndarray[Any, np.dtype[np.int64]]
    ) -> Iterator[Finding]:
        flows = window.flows
        known = window.edges.has_spoken(window.source[rows], window.destination[rows])
        for row in rows[~known].tolist():
            server = window.hosts.get(int(window.destination[row]))
            host = window.hosts.get(int(window.source[row]))
            if server.role != "backup" or host.role in _WRITERS or not host.is_inside:
                continue
            yield Finding(
                source=host.ip,
                targets=(server.ip,),
                score=72.0,
                confidence=0.85,
                first_ns=int(flows.first_ns[row]),
                last_ns=int(flows.last_ns[row]),
                facts={"port": int(flows.destination_port[row])},
                variant="backup",
                techniques=("T1490", "T1021"),
                flows=flow_keys(flows, [row]),
                warmth=window.edges.warmth,
            )


def _add_stretch(
    memory: _Memory, pair: tuple[int, int], flows: FlowBatch, row: int, is_fast: bool
) -> None:
    """Keep this flow among the pair's last ten minutes."""
    flow = flows.rows[row]
    sent, read = int(flow["bytes"]), int(flow["reply_bytes"])
    new = _Stretch(int(flow["first_ns"]), int(flow["last_ns"]), sent, read, is_fast)
    known = memory.shares.pop(pair, [])
    kept = [s for s in known if s.last_ns > new.last_ns - _REWRITING_S * _S]
    memory.shares[pair] = [*kept, new][-_MOST_STRETCHES:]
    if len(memory.shares) > _MOST:
        memory.shares.popitem(last=False)


def _covered_s(stretches: Sequence[_Stretch]) -> float:
    """Seconds in which any of them ran; one that looks shorter than a second counts as one."""
    covered = until = 0
    for stretch in sorted(stretches, key=lambda s: s.first_ns):
        last = max(stretch.last_ns, stretch.first_ns + _S)
        covered += max(0, last - max(stretch.first_ns, until))
        until = max(until, last)
    return covered / _S
