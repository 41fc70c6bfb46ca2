"""EX-1, family 5: more than one machine speaks from one address, as behind a small router.

Hop counts and the form of SYN packets tell; both come with packets, and hop counts also with flow
exports that carry them (elements 52 and 53). Where neither is exported this family is blind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import mac_text
from detector.detection import Window
from detector.distinct import distinct
from detector.lines.clues import Clue
from detector.lines.family_router import FIND_IT
from detector.lines.speaker_kernels import VOICE_DTYPE, hear
from detector.lines.surroundings import Surroundings
from detector.words import Text

HOUR_NS: Final = 3_600_000_000_000
MIN_FLOWS: Final = 5  # of each kind, within the hour
MAX_SPEAKERS: Final = 50_000
_STARTS: Final = (64, 128, 255)  # what systems set
_SYN: Final = 2
#: Many machines behind one address by design.
_FORWARDERS: Final = frozenset(
    {"gateway", "bastion", "network_device", "vendor_router", "vendor_landing"}
)

WORDS: Final[dict[str, Text]] = {
    "hops": Text(
        ja="1 つの IP から、経由段数の異なる通信（TTL {ttls}）が混ざって出ている",
        en="packets of different hop counts (TTL {ttls}) leave from one address",
    ),
    "systems": Text(
        ja="1 つの IP から、Windows と Linux 系の接続が 1 時間内に混ざって出ている",
        en="Windows and Linux open connections from one address within an hour",
    ),
    "both": Text(
        ja="1 つの IP から、段数も OS も異なる通信（TTL {ttls}）が混ざって出ている",
        en="packets of different hop counts (TTL {ttls}) and systems leave from one address",
    ),
}


@dataclass
class Speaker:
    """What one (address, MAC) has sent within the hour."""

    since_ns: int
    ttls: dict[int, int] = field(default_factory=dict)  # TTL → flows
    layouts: dict[tuple[bool, int], int] = field(default_factory=dict)  # (is Windows, form) → SYNs


@dataclass
class Speakers:
    """By (host number, MAC, sensor): one place of sight, so that a second one cannot mix in."""

    known: dict[tuple[int, int, int], Speaker] = field(default_factory=dict)
    #: By host number; most hosts have one voice, which needs no more than counting.
    voices: NDArray[Any] = field(default_factory=lambda: np.zeros(0, VOICE_DTYPE))

    def hear(self, window: Window, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Rows of hosts that have, or had, more than one voice."""
        if len(self.voices) < len(window.hosts):
            grown = np.zeros(2 * len(window.hosts), VOICE_DTYPE)
            grown[: len(self.voices)] = self.voices
            self.voices = grown
        rows = np.empty(len(window.flows), np.int64)
        flows = window.flows.rows.view(OUTPUT_DTYPE)
        rows = rows[: hear(flows, window.source, bits, self.voices, rows)]
        for number in distinct(window.source[rows]).tolist():
            self._take_over(number)
        return rows

    def _take_over(self, number: int) -> None:
        """The voice heard so far becomes a speaker."""
        voice = self.voices[number]
        ttl, layout, syns = int(voice["ttl"]), int(voice["layout"]), int(voice["syns"])
        if ttl:
            place = (number, int(voice["mac"]), int(voice["sensor"]))
            layouts = {(ttl > 64, layout): syns} if syns else {}
            self.known[place] = Speaker(int(voice["since_ns"]), {ttl: int(voice["flows"])}, layouts)
            voice["ttl"] = 0


def find_nat(window: Window, around: Surroundings, speakers: Speakers) -> Iterator[Clue]:
    """Hosts inside that forward for others."""
    flows = window.flows
    rows = speakers.hear(window, around.bits)
    if not len(rows):
        return
    key = np.stack(
        [window.source[rows].astype(np.uint64), flows.source_mac[rows],
         flows.sensor[rows].astype(np.uint64), flows.ttl_min[rows].astype(np.uint64),
         (((flows.flags[rows] & _SYN) != 0) & (flows.syn_window[rows] > 0)).astype(np.uint64),
         flows.syn_layout[rows].astype(np.uint64)], axis=1,
    )  # fmt: skip
    kinds, firsts, counts = np.unique(key, axis=0, return_index=True, return_counts=True)
    touched: dict[tuple[int, int, int], int] = {}
    for kind, first, count in zip(kinds.tolist(), firsts.tolist(), counts.tolist(), strict=True):
        number, mac, sensor, ttl, is_syn, layout = kind
        row = int(rows[first])
        speaker = _speaker(speakers, (number, mac, sensor), int(flows.first_ns[row]))
        if len(speaker.ttls) < 16 or ttl in speaker.ttls:
            speaker.ttls[ttl] = speaker.ttls.get(ttl, 0) + count
        form = (ttl > 64, layout)
        if is_syn and ttl <= 128 and (len(speaker.layouts) < 16 or form in speaker.layouts):
            speaker.layouts[form] = speaker.layouts.get(form, 0) + count
        touched[number, mac, sensor] = row
    for place, row in touched.items():
        yield from _judge(place, row, speakers.known[place], window, around)


def _speaker(speakers: Speakers, place: tuple[int, int, int], now_ns: int) -> Speaker:
    speaker = speakers.known.pop(place, None)
    if speaker is None or now_ns - speaker.since_ns > HOUR_NS:
        speaker = Speaker(now_ns)
    speakers.known[place] = speaker
    if len(speakers.known) > MAX_SPEAKERS:
        speakers.known.pop(next(iter(speakers.known)))
    return speaker


def _judge(
    place: tuple[int, int, int], row: int, speaker: Speaker, window: Window, around: Surroundings
) -> Iterator[Clue]:
    ttls = sorted(t for t, n in speaker.ttls.items() if n >= MIN_FLOWS)
    hops = [(a, b) for a, b in pairwise(ttls) if b - a <= 2 and b in _STARTS]
    systems = {is_windows for (is_windows, _), n in speaker.layouts.items() if n >= MIN_FLOWS}
    if not hops and len(systems) < 2:
        return
    number, mac, _ = place
    ip = window.hosts.ip(number)
    spoken_from = mac_text(mac)
    if mac and around.is_router(spoken_from, window.hospital):
        return
    if window.hosts.get(number).role in _FORWARDERS:
        return
    signal, weight = ("hops", 2.0) if hops else ("systems", 1.5)
    if hops and len(systems) == 2:
        signal, weight = "both", 2.5
    shown: dict[str, Any] = {"ttls": ", ".join(str(t) for pair in hops for t in pair)}
    yield Clue(
        host=ip,
        mac=spoken_from,
        family="nat",
        signal="several machines behind one address",
        weight=weight,
        time_ns=int(window.flows.first_ns[row]),
        what=WORDS[signal].fill(shown),
        confirm=FIND_IT,
        fields={**shown, "sign": signal},
    )
