"""Somebody outside works through an SSH connection that was opened inside (`ssh -R`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from detector.detection import Detector, Finding, FlowKey, Reads, Window
from detector.lines.addresses import INSIDE, LOOPBACK, SPECIAL
from detector.lines.sessions import flow_keys
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import network_of
from detector.lines.tools import SSH
from detector.words import Text, Wording

S: Final = 1_000_000_000
MAX_CONNECTIONS: Final = 20_000
MAX_A_WINDOW: Final = 2_000
LONGEST_S: Final = 120  # longer records are whole connections of an exporter, not minutes
MIN_PACKETS: Final = 40  # a minute and direction: about twenty keys
MAX_PACKETS: Final = 6_000  # a program's pace
#: Who asks also acknowledges the answers, and so sends more packets than who answers.
MORE_PACKETS: Final = 1.1
SMALL: Final = 200  # bytes a packet: keys, mouse, acknowledgements
FULL: Final = 1_200  # bytes a packet and more: a file on its way out
LARGER: Final = 1.5  # answers are larger than what asks for them

Key = tuple[str, str, int]


@dataclass
class Worked:
    """Minutes in which one connection was worked from its far end."""

    first_ns: int
    last_ns: int
    minutes: int = 0
    is_told: bool = False
    bytes_out: int = 0
    bytes_in: int = 0
    keys: tuple[FlowKey, ...] = ()


@dataclass
class WayBackMemory:
    """Connections worked from the far end so far."""

    worked: dict[Key, Worked] = field(default_factory=dict)


class SshWayBack(Detector):
    """An SSH connection that was opened inside is worked from its far end.

    Why it matters: `ssh -R` carries a way back in through whatever SSH the firewall lets out; who
    uses it sits behind the firewall. A registered SSH line is no excuse: it was agreed for work in
    the other direction.
    How: whoever works at a shell or a screen sends small packets and gets large ones back, and
    sends more packets, because he acknowledges the answers too. Minutes in which the outside does
    so over a connection that the inside opened are counted; three of one connection are told.
    Files that are sent out fill their packets, and whoever sends them sends more packets.
    What it cannot see: SOCKS or a forwarded port in the proper direction (`ssh -D`, `ssh -L`) looks
    like any shell; a flow export that tells whole connections holds no minutes; sampled input is
    left out.
    False alarms: a program outside that polls the hospital over a tunnel that the hospital opened,
    which is such a way back; name it in the register and suppress it for that pair.
    """

    id = "ssh_way_back"
    category = "remote_access"
    techniques = ("T1572", "T1090")
    reads = Reads(apps=("ssh",))
    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{device} が開いた SSH 接続を通じて、外部 {place} から院内が操作されています",
                en="{device} is worked from {place}, outside, through an SSH connection it opened",
            ),
            why=Text(
                ja="院内から外へ張った SSH なのに、外から小さな入力が届き、院内が大きな応答を返して"
                "います（{minutes} 分間）。ssh -R による逆向きの侵入口はこのように見えます。",
                en="The inside opened this SSH connection, yet small packets come in and the "
                "inside answers with large ones ({minutes} minutes of it): so looks a way back in "
                "(ssh -R).",
            ),
            next_step=Text(
                ja="{device} で動いている ssh とその -R 指定を確認し、誰が何のために張ったかを担当"
                "部署と保守ベンダに確かめてください。不明なら接続を遮断し、隔離計画に従ってください。",
                en="Look on {device} for a running ssh with -R, and ask the department and the "
                "vendor who opened it and what for. If nobody knows, cut it and follow the "
                "isolation plan.",
            ),
        )
    }

    min_minutes: int = Field(default=3, ge=1, le=60, description="minutes that are told")

    def remember(self) -> WayBackMemory:
        return WayBackMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        kinds = window.hosts.kinds
        flows = window.flows
        chosen = (flows.app == SSH) & (flows.sampling <= 1) & (flows.source_port != 22)
        chosen &= kinds[window.source] & INSIDE != 0
        chosen &= kinds[window.destination] & (INSIDE | SPECIAL | LOOPBACK) == 0
        rows = np.flatnonzero(chosen)
        if not len(rows):
            return
        sent, got = flows.packets[rows].astype(float), flows.reply_packets[rows].astype(float)
        out_size = flows.bytes[rows] / np.maximum(sent, 1)
        in_size = flows.reply_bytes[rows] / np.maximum(got, 1)
        worked = (sent >= MIN_PACKETS) & (got <= MAX_PACKETS) & (got >= MORE_PACKETS * sent)
        worked &= (in_size <= SMALL) & (out_size >= LARGER * in_size) & (out_size < FULL)
        worked &= flows.last_ns[rows] - flows.first_ns[rows] <= LONGEST_S * S
        for row in rows[worked][:MAX_A_WINDOW].tolist():
            yield from self._worked(window, memory, row)

    def _worked(self, window: Window, memory: WayBackMemory, row: int) -> Iterator[Finding]:
        flows = window.flows
        device = window.hosts.ip(int(window.source[row]))
        peer = window.hosts.ip(int(window.destination[row]))
        key = (device, peer, int(flows.source_port[row]))
        so_far = memory.worked.pop(key, None) or Worked(int(flows.first_ns[row]), 0)
        memory.worked[key] = so_far
        if len(memory.worked) > MAX_CONNECTIONS:
            memory.worked.pop(next(iter(memory.worked)))
        so_far.minutes += 1
        so_far.last_ns = int(flows.last_ns[row])
        so_far.bytes_out += int(flows.bytes[row])
        so_far.bytes_in += int(flows.reply_bytes[row])
        so_far.keys = so_far.keys or flow_keys(flows.take(slice(row, row + 1)))
        if so_far.minutes < self.min_minutes or so_far.is_told:
            return
        so_far.is_told = True
        is_closed = is_in_closed_segment(window, device, int(flows.vlan[row]))
        name = window.names.of(peer)
        yield Finding(
            source=device,
            targets=(peer,),
            score=85 if is_closed else 75,
            confidence=0.8,
            first_ns=so_far.first_ns,
            last_ns=so_far.last_ns,
            facts={
                "device": device,
                "place": name or peer,
                "minutes": so_far.minutes,
                "bytes_out": so_far.bytes_out,
                "bytes_in": so_far.bytes_in,
            },
            key=network_of(peer),
            line=f"{device} → {name or network_of(peer)}",
            flows=so_far.keys,
        )
