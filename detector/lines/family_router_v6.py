"""EX-1, family 3 in IPv6: somebody advertises a network, or leases addresses or name servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from collector.sightings import Dhcpv6, RouterAdvertisement
from detector.detection import Window
from detector.lines.clues import Clue
from detector.lines.family_router import FIND_IT, is_random_mac
from detector.lines.leases import Advertisers, allowed_dhcp_servers, allowed_routers_v6
from detector.lines.surroundings import VIRTUAL_ROUTER_MACS, Surroundings
from detector.words import Text

_CARRIER_PREFIXES: Final = ("240a:61", "240a:6b", "240b:", "2400:2410:", "2409:")


def find_routers_v6(
    window: Window, around: Surroundings, advertisers: Advertisers
) -> Iterator[Clue]:
    """Advertising routers and DHCPv6 servers that are not the hospital's."""
    for said in window.of(RouterAdvertisement):
        yield from _advertisement(said, window, advertisers)
    for lease in window.of(Dhcpv6):
        yield from _lease(lease, window, around)


def _advertisement(
    said: RouterAdvertisement, window: Window, advertisers: Advertisers
) -> Iterator[Clue]:
    if not said.router_mac or not said.ip.lower().startswith("fe80"):
        return
    if said.router_mac.lower().startswith(VIRTUAL_ROUTER_MACS):
        return
    allowed = allowed_routers_v6(window.hospital, said.vlan)
    contradiction = advertisers.odd_one(said)
    carrier = next((p for p in said.prefixes if p.lower().startswith(_CARRIER_PREFIXES)), "")
    prefixes = ", ".join(said.prefixes[:3])
    if allowed is not None and said.router_mac.lower() not in allowed:
        signal, weight = "unlisted IPv6 router", 4.0
    elif carrier and is_random_mac(said.router_mac):
        signal, weight = "carrier's prefix advertised", 4.0
    elif contradiction:
        signal, weight = "second IPv6 router", 3.0
    else:
        return
    yield Clue(
        host=said.ip,
        mac=said.router_mac,
        family="router",
        signal=signal,
        weight=weight,
        time_ns=said.time_ns,
        what=Text(
            ja=f"{said.router_mac} が IPv6 ルータを名乗っている（{contradiction or prefixes}）",
            en=f"{said.router_mac} claims to be an IPv6 router ({contradiction or prefixes})",
        ),
        confirm=FIND_IT,
        may_stand_alone=weight >= 4,
        fields={"router_mac": said.router_mac, "prefixes": prefixes, "vlan": said.vlan},
    )


def _lease(said: Dhcpv6, window: Window, around: Surroundings) -> Iterator[Clue]:
    """A server on the link itself (a relay's answers come from a router)."""
    if said.message not in ("advertise", "reply") or not said.ip.lower().startswith("fe80"):
        return
    allowed = allowed_routers_v6(window.hospital, said.vlan)
    if allowed is None or not said.mac or said.mac.lower() in allowed:
        return
    if said.mac.lower().startswith(VIRTUAL_ROUTER_MACS) or not (said.addresses or said.dns_servers):
        return
    home = around.home_of(said.mac, window) or window.hospital.ip_by_mac.get(said.mac.lower(), "")
    if home in allowed_dhcp_servers(window.hospital):
        return
    given = ", ".join((*said.dns_servers[:2], *said.addresses[:1]))
    yield Clue(
        host=said.ip,
        mac=said.mac,
        family="router",
        signal="unlisted DHCPv6 server",
        weight=4.0,
        time_ns=said.time_ns,
        what=Text(
            ja=f"台帳にない DHCPv6 サーバ {said.mac} が DNS やアドレスを配っている（{given}）",
            en=f"{said.mac}, a DHCPv6 server that is not on the plan, hands out {given}",
        ),
        confirm=FIND_IT,
        may_stand_alone=True,
        targets=tuple(said.addresses[:1]),
        fields={
            "server_mac": said.mac, "dns": ", ".join(said.dns_servers),
            "leased": ", ".join(said.addresses), "vlan": said.vlan, "client_mac": said.client_mac,
        },
    )  # fmt: skip
