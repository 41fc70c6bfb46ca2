"""ARP sweep (LM-1 on a VLAN listener): one machine asks for many addresses that nobody has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, ClassVar

from pydantic import Field

from collector.sightings import Arp
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.words import Text, Wording


@dataclass
class _Asked:
    targets: OrderedDict[str, int] = field(default_factory=OrderedDict)  # address → when
    sender_ip: str = ""


@dataclass
class _Memory:
    asked: OrderedDict[str, _Asked] = field(default_factory=OrderedDict)  # MAC → what it asked for
    alive: OrderedDict[str, int] = field(default_factory=OrderedDict)  # address → last seen


class ArpSweep(Detector):
    """One machine asks by ARP for many neighbouring addresses within minutes, most of them unused.

    A switch passes broadcast requests to every port, so this shows scans inside one VLAN that no
    SPAN port sees. Routers and busy servers ask for many addresses too, but for hosts that exist
    and here and there; a sweep asks for the next and the next, also where nobody lives. So the
    targets must be many, mostly never seen alive, and mostly neighbours of each other.

    Why it matters: it is the first step of an intruder who has just arrived in a VLAN.

    False alarms: DHCP servers that probe before leasing, address-management tools, a router when
    an outside scan knocks at a whole prefix (the scan itself is then reported beside it).
    """

    id = "arp_sweep"
    category: ClassVar[Category] = "reconnaissance"
    techniques = ("T1018", "T1046")
    reads = Reads(sightings=(Arp,))
    wordings = {
        "": Wording(
            Text(
                "{source} が同じ VLAN の {count} 個のアドレスを ARP で順に探しています",
                "{source} is asking by ARP for {count} addresses of its VLAN in turn",
            ),
            Text(
                "使われていないアドレスまで順に尋ねており、同じ VLAN の機器を洗い出す動きです。"
                "侵入直後に"
                "よく行われます。",
                "It asks even for unused addresses in turn, to list the machines of the VLAN; "
                "intruders do it right after they arrive.",
            ),
            Text(
                "情報システム担当は、MAC {mac} の機器をスイッチのポートから特定し、"
                "設置部署に何をしている"
                "か確認してください。資産管理や診断の予定がなければポートの停止を検討してください"
                "。",
                "IT: find the machine with MAC {mac} by its switch port and ask its department "
                "what "
                "it is doing. If no inventory or scan is planned, consider closing the port.",
            ),
        ),
    }

    least_targets: int = Field(default=20, ge=5, description="addresses asked for that tell")
    dead_share: float = Field(default=0.6, gt=0, le=1, description="share never seen alive")
    dense_share: float = Field(default=0.6, gt=0, le=1, description="share with a neighbour asked")
    span_s: int = Field(default=300, ge=30, description="seconds in which addresses are counted")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        self._note_alive(window, memory)
        touched: dict[str, None] = {}
        for arp in window.of(Arp):
            if arp.operation != 1 or arp.sender_ip == arp.target_ip or not arp.target_ip:
                continue
            asked = memory.asked.setdefault(arp.sender_mac, _Asked())
            memory.asked.move_to_end(arp.sender_mac)
            asked.targets[arp.target_ip] = arp.time_ns
            asked.targets.move_to_end(arp.target_ip)
            if arp.sender_ip != "0.0.0.0":  # noqa: S104 - a probe's sender, not a bind
                asked.sender_ip = arp.sender_ip
            if len(asked.targets) > 5000:
                asked.targets.popitem(last=False)
            touched[arp.sender_mac] = None
        for mac in touched:
            yield from self._judge(window, memory, mac)
        while len(memory.asked) > 20_000:
            memory.asked.popitem(last=False)

    def _note_alive(self, window: Window, memory: _Memory) -> None:
        for arp in window.of(Arp):
            memory.alive[arp.sender_ip] = arp.time_ns
            memory.alive.move_to_end(arp.sender_ip)
        while len(memory.alive) > 200_000:
            memory.alive.popitem(last=False)

    def _judge(self, window: Window, memory: _Memory, mac: str) -> Iterator[Finding]:
        asked = memory.asked[mac]
        newest = next(reversed(asked.targets.values()))
        for old in list(asked.targets):
            if newest - asked.targets[old] <= self.span_s * 1_000_000_000:
                break
            del asked.targets[old]
        targets = list(asked.targets)
        if len(targets) < self.least_targets:
            return
        host = window.hosts.at(asked.sender_ip) if asked.sender_ip else None
        if host is not None and host.role in ("scanner", "dhcp"):
            return
        numbers = {int(IPv4Address(t)) for t in targets}
        dense = sum(1 for n in numbers if n - 1 in numbers or n + 1 in numbers)
        dead = sum(1 for t in targets if t not in memory.alive)
        if dense < self.dense_share * len(numbers) or dead < self.dead_share * len(targets):
            return
        is_router = host is not None and host.role in ("gateway", "network_device")
        yield Finding(
            source=asked.sender_ip or mac,
            targets=tuple(targets[:50]),
            score=40.0 if is_router else min(85.0, 65 + 5 * len(targets) / self.least_targets),
            confidence=0.6 if is_router else 0.85,
            first_ns=asked.targets[targets[0]],
            last_ns=newest,
            facts={"count": len(targets), "mac": mac},
            key=mac,
            source_mac=mac,
            app="arp",
        )
