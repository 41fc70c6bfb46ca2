"""DT: data is carried in ping packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.apps import APP_CODE
from detector.detection import Detector, Finding, Reads, Window
from detector.lines.addresses import SPECIAL
from detector.lines.sessions import flow_keys
from detector.window_kernels import ICMP
from detector.words import Text, Wording

_ECHO, _ECHO_REPLY, _ECHO6, _ECHO6_REPLY = 8, 0, 128, 129
MAX_PAIRS: Final = 20_000
HOUR_NS: Final = 3_600_000_000_000


@dataclass
class Echoes:
    """Pings between two hosts within an hour: the asker's packets and bytes, and the answers'."""

    since_ns: int
    asked: int = 0
    asked_bytes: int = 0
    answered: int = 0
    answered_bytes: int = 0


@dataclass
class IcmpMemory:
    """Pings by (asker, answerer), the oldest forgotten first."""

    pairs: dict[tuple[int, int], Echoes] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)  # both ends → the one it was told of


class IcmpTunnel(Detector):
    """Ping packets between two hosts carry something else than ping.

    Why it matters: ping is allowed almost everywhere and looked at almost nowhere.
    How: an answer to a ping repeats what was asked, byte for byte, so asked and answered packets
    have the same mean size. Where they differ over many packets, or the collector saw the payload
    change, a tunnel is at work.
    False alarms: none known where both directions are seen; sampled or one-way input is left out.
    """

    id = "icmp_tunnel"
    category = "exfiltration"
    techniques = ("T1095", "T1048.003", "T1572")
    reads = Reads(apps=("icmp_tunnel",), marks=ICMP)
    gather_s = 300

    min_packets: int = Field(default=20, ge=5, description="pings each way within an hour")
    min_difference: float = Field(default=8, ge=1, description="mean size difference, bytes")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{device} と {peer} の ping にデータが載せられています（{packets} パケット）",
                en="Pings between {device} and {peer} carry data ({packets} packets)",
            ),
            why=Text(
                ja="ping の応答は要求と同じ内容のはずです。大きさが食い違うのは、"
                "ping に見せかけたトンネルのしるしです。",
                en="The answer to a ping repeats the request. Where sizes differ, a tunnel is made "
                "to look like ping.",
            ),
            next_step=Text(
                ja="{device} と {peer} の間の ICMP を止め、両方の端末で動いているプログラムを"
                "担当部署と確認してください。",
                en="Block ICMP between {device} and {peer}, and check with their owners which "
                "programs run on both.",
            ),
        )
    }

    def remember(self) -> IcmpMemory:
        return IcmpMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        named = window.flows.app == APP_CODE["icmp_tunnel"]
        rows = np.flatnonzero(named | (window.marks & ICMP != 0))
        if not len(rows):
            return
        flows, named = window.flows.take(rows), named[rows]
        kind = flows.source_port
        chosen = (flows.protocol == 1) & ((kind == _ECHO) | (kind == _ECHO_REPLY))
        chosen |= (flows.protocol == 58) & ((kind == _ECHO6) | (kind == _ECHO6_REPLY))
        # An exporter's records carry no TTL, or that of one direction, and count the directions at
        # different layers or until different moments.
        is_whole = (flows.sampling <= 1) & (flows.one_way == 0) & (flows.ttl_max > 0)
        is_whole &= (flows.reply_packets == 0) | (flows.reply_ttl_max > 0)
        chosen = (chosen & is_whole) | named
        kinds = window.hosts.kinds
        chosen &= (kinds[window.destination[rows]] & SPECIAL) == 0
        touched: dict[tuple[int, int], tuple[Echoes, int]] = {}
        is_named = set(rows[named].tolist())
        for at in rows[chosen].tolist():
            pair, echoes = _count(window, at, memory)
            touched[pair] = (echoes, at)
        for echoes, at in touched.values():
            if self._is_tunnel(echoes) or at in is_named:
                yield _finding(window, at, echoes, memory)

    def _is_tunnel(self, echoes: Echoes) -> bool:
        if min(echoes.asked, echoes.answered) < self.min_packets:
            return False
        asked = echoes.asked_bytes / echoes.asked
        answered = echoes.answered_bytes / echoes.answered
        # Lost answers leave the mean alone only if all pings have one size; small pings mixed with
        # large ones that are dropped shift it a little, so few may be missing.
        is_whole = echoes.answered >= 0.5 * echoes.asked
        return is_whole and abs(asked - answered) >= self.min_difference


def _count(window: Window, at: int, memory: IcmpMemory) -> tuple[tuple[int, int], Echoes]:
    row = window.flows.rows[at]
    source, destination = int(window.source[at]), int(window.destination[at])
    sent, sent_bytes = int(row["packets"]), int(row["bytes"])
    back, back_bytes = int(row["reply_packets"]), int(row["reply_bytes"])
    if row["source_port"] in (_ECHO_REPLY, _ECHO6_REPLY):
        source, destination = destination, source
        sent, sent_bytes, back, back_bytes = back, back_bytes, sent, sent_bytes
    echoes = memory.pairs.get((source, destination))
    if echoes is None or int(row["first_ns"]) - echoes.since_ns > HOUR_NS:
        echoes = Echoes(since_ns=int(row["first_ns"]))
        memory.pairs.pop((source, destination), None)
        memory.pairs[source, destination] = echoes
        if len(memory.pairs) > MAX_PAIRS:
            memory.pairs.pop(next(iter(memory.pairs)))
    echoes.asked += sent
    echoes.asked_bytes += sent_bytes
    echoes.answered += back
    echoes.answered_bytes += back_bytes
    return (source, destination), echoes


def _finding(window: Window, at: int, echoes: Echoes, memory: IcmpMemory) -> Finding:
    row = window.flows.take(np.array([at]))
    key = flow_keys(row)[0]
    asked = echoes.asked_bytes / max(1, echoes.asked)
    answered = echoes.answered_bytes / max(1, echoes.answered)
    ends = " ".join(sorted((key.source, key.destination)))
    device = memory.told.setdefault(ends, key.source)
    if len(memory.told) > MAX_PAIRS:
        memory.told.pop(next(iter(memory.told)))
    peer = key.destination if device == key.source else key.source
    return Finding(
        source=device,
        targets=(peer,),
        score=80,
        confidence=0.9,
        first_ns=echoes.since_ns,
        last_ns=int(row.last_ns[0]),
        facts={
            "device": device,
            "peer": peer,
            "packets": echoes.asked + echoes.answered,
            "asked_mean_bytes": round(asked, 1),
            "answered_mean_bytes": round(answered, 1),
            "bytes": echoes.asked_bytes + echoes.answered_bytes,
        },
        key=ends,
        app="icmp_tunnel",
        flows=(key,),
    )
