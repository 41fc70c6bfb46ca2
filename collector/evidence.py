"""Cut each alert's packets out of the captures, so that a person can look at them.

One more pass over the files: a compiled loop marks the frames in which a wanted pair of hosts meets
within the alert's time; the first few of them are written as one small pcap per alert.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from collector.capture import CaptureError, Chunk, open_capture
from collector.flows import address_number

#: Packets and bytes that one alert's evidence may hold.
MOST_PACKETS: Final = 2_000
MOST_BYTES: Final = 4 << 20

#: Alerts of one pass; a busier day keeps its first ones.
MOST_REQUESTS: Final = 2_000

#: Packets just before and after the alert's own are kept too.
_SLACK_NS: Final = 1_000_000_000

Address = tuple[int, int]


@dataclass(frozen=True)
class EvidenceRequest:
    """One alert's packets: pairs of addresses that meet (an empty one stands for anybody)."""

    alert_id: str
    pairs: tuple[tuple[str, str], ...]
    first_ns: int
    last_ns: int


@dataclass
class EvidenceResult:
    """What was written: packets per alert, alerts whose evidence was cut short, unread files."""

    packets: dict[str, int] = field(default_factory=dict)
    cut_short: set[str] = field(default_factory=set)
    faults: list[CaptureError] = field(default_factory=list)


def cut_evidence(
    captures: Sequence[Path],
    requests: Sequence[EvidenceRequest],
    folder: Path,
    most_packets: int = MOST_PACKETS,
    most_bytes: int = MOST_BYTES,
) -> EvidenceResult:
    """Write `folder/<alert id>.pcap` for every request of which packets are found.

    At most `most_packets` packets and `most_bytes` bytes are kept per alert, the first ones. The
    link type is the first packet's; frames of another link type are left out.
    """
    from collector.evidence_kernels import Matcher

    result = EvidenceResult()
    if not requests:
        return result
    result.cut_short.update(request.alert_id for request in requests[MOST_REQUESTS:])
    requests = requests[:MOST_REQUESTS]
    keepers = [_Keeper(folder, request.alert_id, most_bytes) for request in requests]
    spans = [(r.first_ns - _SLACK_NS, r.last_ns + _SLACK_NS) for r in requests]
    matcher = Matcher(_wanted(requests), spans, most_packets)
    for path in captures:
        try:
            with open_capture(path) as capture:
                for chunk in capture:
                    for number, packet in matcher.match(chunk):
                        keepers[number].keep(chunk, packet)
        except CaptureError as fault:
            result.faults.append(fault)
    for keeper, is_full in zip(keepers, matcher.is_full(), strict=True):
        if keeper.write():
            result.packets[keeper.alert_id] = len(keeper.records)
        if keeper.is_full or is_full:
            result.cut_short.add(keeper.alert_id)
    return result


def _wanted(requests: Sequence[EvidenceRequest]) -> list[tuple[int, Address, Address | None]]:
    """Rows (request, one end, other end or None for anybody)."""
    rows: list[tuple[int, Address, Address | None]] = []
    for number, request in enumerate(requests):
        for one, other in request.pairs:
            with suppress(ValueError):  # a name instead of an address meets no packet
                rows.append((number, address_number(one), address_number(other) if other else None))
    return rows


class _Keeper:
    """Packets of one alert, in memory until the pass is over (bounded by the limits)."""

    def __init__(self, folder: Path, alert_id: str, most_bytes: int) -> None:
        if not alert_id or Path(alert_id).name != alert_id or alert_id.startswith("."):
            raise ValueError(f"alert id {alert_id!r}: must be a plain file name")
        self.alert_id = alert_id
        self.records: list[bytes] = []
        self.is_full = False
        self._folder = folder
        self._room = most_bytes
        self._link_type = -1

    def keep(self, chunk: Chunk, packet: int) -> None:
        row = chunk.index[packet]
        size, link_type = int(row["captured"]), int(row["link_type"])
        if self._link_type < 0:
            self._link_type = link_type
        if link_type != self._link_type:
            return
        self.is_full = self.is_full or size > self._room
        if self.is_full:
            return
        at = int(row["offset"])
        frame = chunk.buffer[at : at + size].tobytes()
        seconds, part = divmod(int(row["time_ns"]), 1_000_000_000)
        head = struct.pack("<IIII", seconds & 0xFFFFFFFF, part, size, int(row["wire"]))
        self.records.append(head + frame)
        self._room -= size

    def write(self) -> bool:
        """Write the file in one step; False if there is nothing to write."""
        if not self.records:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        head = _file_head(self._link_type)
        path = self._folder / f"{self.alert_id}.pcap"
        part = path.with_suffix(".part")
        part.write_bytes(head + b"".join(self.records))
        part.replace(path)
        return True


def redact_capture(path: Path) -> bytes:
    """The capture as pcap with every payload cut off: headers tell who, never what.

    Frames whose headers cannot be read are left out. CaptureError if it is no capture.
    """
    from collector.evidence_kernels import payload_starts

    records, link_type = [], 1
    with open_capture(path) as capture:
        for chunk in capture:
            for row, size in zip(chunk.index, payload_starts(chunk).tolist(), strict=True):
                if size <= 0:
                    continue
                at, link_type = int(row["offset"]), int(row["link_type"])
                seconds, part = divmod(int(row["time_ns"]), 1_000_000_000)
                head = struct.pack("<IIII", seconds & 0xFFFFFFFF, part, size, int(row["wire"]))
                records.append(head + chunk.buffer[at : at + size].tobytes())
    return _file_head(link_type) + b"".join(records)


def _file_head(link_type: int) -> bytes:
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_type)
