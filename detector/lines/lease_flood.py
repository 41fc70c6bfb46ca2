"""LM-8: somebody exhausts DHCP or floods router advertisements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Dhcp, RouterAdvertisement
from detector.detection import Detector, Finding, Reads, Window
from detector.words import Text, Wording

MAX_SENDERS: Final = 20_000
MAX_KEPT: Final = 2_000
MINUTE_NS: Final = 60_000_000_000


@dataclass
class Minute:
    """What one sender asked of DHCP, or one VLAN heard advertised, within a minute."""

    since_ns: int
    messages: int = 0
    clients: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    told: int = 0


@dataclass
class FloodMemory:
    """Minutes by (VLAN, sender's MAC) for DHCP, by VLAN for advertisements."""

    askers: dict[tuple[int, str], Minute] = field(default_factory=dict)
    advertised: dict[int, Minute] = field(default_factory=dict)


class LeaseFlood(Detector):
    """One sender asks DHCP for far more than one machine needs, or advertises many routers.

    Why it matters: when addresses run out, wards' terminals lose the network, and a rogue server
    can take the place of the real one; floods of router advertisements stop Windows machines.
    How: within a minute one MAC sends 100 DISCOVER or REQUEST messages, or for 10 client MACs, or
    wants 10 different addresses; relays (which speak for many) are left out. For IPv6, 20 routers
    or prefixes are advertised on one VLAN within a minute.
    False alarms: test tools for DHCP servers.
    """

    id = "lease_flood"
    category = "impact"
    techniques = ("T1499", "T1557.003")
    reads = Reads(sightings=(Dhcp, RouterAdvertisement))

    max_messages: int = Field(default=100, ge=20, description="a minute, from one MAC")
    max_clients: int = Field(default=10, ge=3, description="client MACs a minute, from one MAC")
    max_wanted: int = Field(default=10, ge=3, description="addresses a minute, from one MAC")
    max_routers: int = Field(default=20, ge=5, description="routers or prefixes a minute")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{mac} が DHCP を大量に要求しています（1 分間に {messages} 回、{clients} 台分）",
                en="{mac} floods DHCP ({messages} requests for {clients} clients in a minute)",
            ),
            why=Text(
                ja="貸し出せる IP アドレスが尽きると、病棟の端末や無線機器がネットワークに"
                "つながらなくなり、偽の DHCP サーバに乗り換えさせられます。",
                en="When addresses run out, terminals and wireless devices lose the network, and "
                "a rogue DHCP server can take over.",
            ),
            next_step=Text(
                ja="スイッチで {mac} のポートを特定して閉じ、DHCP サーバの空きアドレスを確認して"
                "ください。スイッチの DHCP スヌーピングで防げます。",
                en="Find and close the port of {mac}, and check how many addresses the DHCP server "
                "has left. DHCP snooping on the switches prevents it.",
            ),
        ),
        "advertisements": Wording(
            title=Text(
                ja="VLAN {vlan} に偽の IPv6 ルータ広告が大量に流れています（{routers} 種）",
                en="VLAN {vlan} is flooded with IPv6 router advertisements ({routers} different)",
            ),
            why=Text(
                ja="ルータ広告の洪水は端末や医療機器を停止させ、通信を奪うためにも使われます。",
                en="A flood of advertisements stops machines and can draw their traffic away.",
            ),
            next_step=Text(
                ja="スイッチで送信元 {mac} のポートを閉じてください。RA ガードで防げます。",
                en="Close the port of {mac} on the switch. RA guard prevents it.",
            ),
        ),
    }

    def remember(self) -> FloodMemory:
        return FloodMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for dhcp in window.of(Dhcp):
            if dhcp.message in ("discover", "request", "inform") and not dhcp.relay_ip:
                minute = _minute(memory.askers, (dhcp.vlan, dhcp.mac), dhcp.time_ns)
                minute.messages += 1
                _keep(minute.clients, dhcp.client_mac)
                _keep(minute.wanted, dhcp.requested_ip)
                yield from self._flood(minute, dhcp)
        for said in window.of(RouterAdvertisement):
            minute = _minute(memory.advertised, said.vlan, said.time_ns)
            minute.messages += 1
            _keep(minute.clients, said.router_mac)
            for prefix in said.prefixes[:8]:
                _keep(minute.wanted, prefix)
            yield from self._advertised(minute, said)

    def _flood(self, minute: Minute, dhcp: Dhcp) -> Iterator[Finding]:
        is_flood = (
            minute.messages >= self.max_messages
            or len(minute.clients) >= self.max_clients
            or len(minute.wanted) >= self.max_wanted
        )
        if not is_flood or minute.messages < 10 * minute.told:
            return
        minute.told = minute.messages
        yield Finding(
            source=dhcp.mac,
            targets=tuple(sorted(minute.wanted))[:20],
            score=80,
            confidence=0.9,
            first_ns=minute.since_ns,
            last_ns=dhcp.time_ns,
            facts={
                "mac": dhcp.mac,
                "messages": minute.messages,
                "clients": len(minute.clients),
                "wanted": len(minute.wanted),
                "vlan": dhcp.vlan,
                "host_name": dhcp.host_name,
            },
            key="dhcp",
            app="dhcp",
            source_mac=dhcp.mac,
        )

    def _advertised(self, minute: Minute, said: RouterAdvertisement) -> Iterator[Finding]:
        routers = max(len(minute.clients), len(minute.wanted))
        if routers < self.max_routers or routers < 4 * minute.told:
            return
        minute.told = routers
        yield Finding(
            source=said.ip,
            targets=(),
            score=85,
            confidence=0.9,
            first_ns=minute.since_ns,
            last_ns=said.time_ns,
            facts={"vlan": said.vlan, "routers": routers, "mac": said.mac},
            variant="advertisements",
            key=f"vlan {said.vlan}",
            techniques=("T1499", "T1557"),
            source_mac=said.mac,
        )


def _minute(kept: dict[Any, Minute], key: Any, now_ns: int) -> Minute:
    known = kept.get(key)
    if known is None or now_ns - known.since_ns > MINUTE_NS:
        known = Minute(now_ns)
        kept.pop(key, None)
        kept[key] = known
        if len(kept) > MAX_SENDERS:
            kept.pop(next(iter(kept)))
    return known


def _keep(kept: set[str], item: str) -> None:
    if item and len(kept) < MAX_KEPT:
        kept.add(item)
