"""NX: a machine of a closed segment reaches, or tries to reach, the Internet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.flows import STATE_CODE
from detector.addresses import in_networks
from detector.detection import Detector, Finding, Window
from detector.landing import is_endpoint
from detector.lines.addresses import PUBLIC
from detector.lines.odd_tls import ODDITIES, OddTls
from detector.lines.sessions import flow_keys
from detector.lines.surroundings import network_of
from detector.lines.tools import IS_TOOL
from detector.words import Text, Wording

MAX_KNOWN: Final = 200_000
MAX_A_WINDOW: Final = 500
_REJECTED: Final = STATE_CODE["REJ"]
WEEK_NS: Final = 7 * 86_400_000_000_000


@dataclass
class DestinationMemory:
    """Kinds of addresses, who sits in a closed segment, and (host, place) seen this week."""

    tls: OddTls = field(default_factory=OddTls)
    is_closed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    moves: int = 0  # of machines between addresses, when that was made
    seen: dict[tuple[str, str], int] = field(default_factory=dict)


class NewDestination(Detector):
    """A machine of a segment that is meant to be closed talks to a public address.

    Why it matters: a closed network is the hospital's strongest protection; the first packet that
    is answered from outside shows that it is not closed.
    How: an answered connection from a segment marked closed to a public address that no registered
    line names; more than 10 kB weighs more, and so does TLS as wrappers speak it (stunnel and its
    like): to a bare address, or to a certificate that signs itself. Attempts that nobody answers
    are told once a week for each host and place, at low weight. Tunnels and remote tools are told
    by their own detectors.
    False alarms: public addresses used inside; put them in the address plan.
    """

    id = "new_destination"
    category = "external_line"
    techniques = ("T1071", "T1090")

    much_bytes: int = Field(default=10_000, ge=0, description="bytes that make it weigh more")
    min_attempts: int = Field(default=3, ge=1, description="unanswered packets worth telling")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="閉域の {device}（{segment}）が外部 {place} と通信しています",
                en="{device} in the closed segment {segment} talks to {place}, outside",
            ),
            why=Text(
                ja="閉域のはずの区画からインターネットに届いています。設定の誤りか、"
                "誰かが出口を作っています。",
                en="A segment that should be closed reaches the Internet: a mistake in the "
                "settings, or someone has made a way out.",
            ),
            next_step=Text(
                ja="ファイアウォールの許可設定と経路を確認してください。業務に必要なら外部接続"
                "台帳に登録し、不要なら遮断して、{device} で何を動かしているか担当部署に"
                "確認してください。",
                en="Check the firewall's rules and the routes. If it is needed, register it; if "
                "not, block it and ask the department of {device} what it runs.",
            ),
        ),
        "odd_tls": Wording(
            title=Text(
                ja="閉域の {device}（{segment}）が外部 {place} と、包みらしい TLS で通信しています",
                en="{device} in the closed segment {segment} speaks TLS like a wrapper's to "
                "{place}, outside",
            ),
            why=Text(
                ja="閉域のはずの区画からインターネットに届いています。{oddity_ja}。ブラウザや業務"
                "ソフトではなく、別の通信を TLS に包む道具（stunnel など）の振る舞いです。",
                en="A segment that should be closed reaches the Internet, and {oddity_en}: not as "
                "browsers do, but as programs that wrap something else in TLS.",
            ),
            next_step=Text(
                ja="{device} で動いている接続元のプログラムを確かめてください。業務に必要なら外部"
                "接続台帳に登録し、不明なら遮断して隔離計画に従ってください。",
                en="Look which program on {device} connects. If it is needed, register it; if "
                "nobody knows it, block it and follow the isolation plan.",
            ),
        ),
        "attempt": Wording(
            title=Text(
                ja="閉域の {device}（{segment}）が外部 {place} に接続を試みています",
                en="{device} in the closed segment {segment} tries to reach {place}, outside",
            ),
            why=Text(
                ja="接続はできていませんが、外部を必要とするソフトが動いているしるしです。",
                en="It does not get through, but some software there wants the outside.",
            ),
            next_step=Text(
                ja="宛先に心当たりがなければ、{device} の担当部署に最近入れたソフトを確認して"
                "ください。",
                en="If the destination means nothing to you, ask the department of {device} what "
                "was installed lately.",
            ),
        ),
    }

    def remember(self) -> DestinationMemory:
        return DestinationMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        closed = [s for s in window.hospital.segments if s.closed]
        if not closed:
            return
        memory.tls.learn(window)
        kinds = window.hosts.kinds
        if memory.moves != window.hosts.moves:
            memory.is_closed, memory.moves = np.zeros(0, bool), window.hosts.moves
        known = len(memory.is_closed)
        if known < len(window.hosts):
            fresh = window.hosts.addresses(np.arange(known, len(window.hosts), dtype=np.uint32))
            prefixes = tuple(p for s in closed for p in s.prefixes)
            memory.is_closed = np.concatenate([memory.is_closed, in_networks(fresh, prefixes)])
        flows = window.flows
        outward = memory.is_closed[window.source] & (kinds[window.destination] & PUBLIC != 0)
        rows = np.flatnonzero(outward & ~IS_TOOL[flows.app])
        if not len(rows):
            return
        pairs = np.stack([window.source[rows], window.destination[rows]], axis=1)
        _, group = np.unique(pairs, axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        ends = np.flatnonzero(np.diff(group.ravel()[order])) + 1
        for members in np.split(rows[order], ends)[:MAX_A_WINDOW]:
            yield from self._judge(window, members, memory)

    def _judge(
        self, window: Window, members: NDArray[np.int64], memory: DestinationMemory
    ) -> Iterator[Finding]:
        flows = window.flows.take(members)
        keys = flow_keys(flows)
        device, peer = keys[0].source, keys[0].destination
        name = window.names.of(peer)
        if any(is_endpoint(peer, name, line) for line in window.hospital.lines):
            return
        place = name or network_of(peer)
        is_answered = bool(((flows.reply_packets > 0) & (flows.state != _REJECTED)).any())
        first_ns = int(flows.first_ns.min())
        if not is_answered:
            told_ns = memory.seen.get((device, place), first_ns - WEEK_NS)
            if first_ns - told_ns < WEEK_NS or int(flows.packets.sum()) < self.min_attempts:
                return
            memory.seen.pop((device, place), None)
            memory.seen[device, place] = first_ns
            if len(memory.seen) > MAX_KNOWN:
                memory.seen.pop(next(iter(memory.seen)))
        moved = int(flows.bytes.sum() + flows.reply_bytes.sum())
        segment = window.hospital.segment_of(device, int(flows.vlan[0]))
        odd = memory.tls.of(device, peer) if is_answered else ()
        score = 30.0 if not is_answered else 85.0 if moved > self.much_bytes else 75.0
        score += 5 if odd else 0
        yield Finding(
            source=device,
            targets=(peer,),
            score=score,
            confidence=0.9,
            first_ns=first_ns,
            last_ns=int(flows.last_ns.max()),
            facts={
                "device": device,
                "segment": segment.name if segment else "-",
                "place": place,
                "peer": peer,
                "bytes": moved,
                "connections": len(flows),
                "port": keys[0].destination_port,
                "oddity_ja": "、".join(ODDITIES[o].ja for o in odd),
                "oddity_en": "; ".join(ODDITIES[o].en for o in odd),
            },
            variant="odd_tls" if odd else "" if is_answered else "attempt",
            techniques=("T1573", "T1090") if odd else (),
            key="outside",  # one alert a host and day; its targets are the places
            line=f"{device} → {place}",
            flows=keys,
        )
