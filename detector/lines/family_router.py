"""EX-1, family 3: somebody on the LAN leases addresses or leads outside who should not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from collector.data import oui_vendor
from collector.flows import mac_text
from collector.sightings import Dhcp, Ssdp
from detector.detection import Window
from detector.lines.addresses import INSIDE, PUBLIC, SHARING
from detector.lines.clues import Clue
from detector.lines.leases import Leases, allowed_dhcp_servers
from detector.lines.reference import carrier_of, sharing_range
from detector.lines.sessions import flow_keys
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import (
    VIRTUAL_ROUTER_MACS,
    Surroundings,
    gateway_macs,
    network_of,
)
from detector.words import Text

MAX_CLUES: Final = 200
#: First bits of MACs that hypervisors give to virtual machines; they look like a phone's.
_VIRTUAL_MACHINES: Final = ("52:54:00", "02:42:", "0a:00:27", "fe:54:00", "06:", "0e:")
#: Makers whose devices lease addresses only when they share a line; cards of PCs also sit in
#: servers, so they count only under a made-up MAC.
_PHONE_MAKERS: Final = ("Apple", "Samsung", "Google", "Xiaomi", "OPPO", "vivo", "OnePlus",
                        "Motorola Mobility", "Sony", "SHARP", "KYOCERA", "FCNT", "HTC")  # fmt: skip
_CARD_MAKERS: Final = ("Intel", "Microsoft", "Liteon", "AzureWave", "Murata", "REALTEK")

FIND_IT: Final = Text(
    ja="スイッチの MAC アドレステーブルでポートを特定し、ルータやスマートフォンが"
    "つながっていないか現地で確かめる。",
    en="Find the port in the switch's MAC table, and go and look for a router or a phone.",
)


def find_routers(window: Window, around: Surroundings, leases: Leases) -> Iterator[Clue]:
    """DHCP servers, next hops and gateways that are not the hospital's."""
    for dhcp in window.of(Dhcp):
        yield from _dhcp(dhcp, window, around, leases)
    for ssdp in window.of(Ssdp):
        yield from _gateway_service(ssdp, window)
    yield from _next_hops(window, around)
    if not window.hospital.segments:
        yield from _shared_lans(window, around)


def _dhcp(dhcp: Dhcp, window: Window, around: Surroundings, leases: Leases) -> Iterator[Clue]:
    server = dhcp.server_id or (dhcp.ip if dhcp.message in ("offer", "ack") else "")
    if not server or server == "255.255.255.255":
        return
    is_answer = dhcp.message in ("offer", "ack")
    if not is_answer and dhcp.message != "request":
        return
    allowed = allowed_dhcp_servers(window.hospital)
    if server in allowed or (dhcp.ip in allowed and is_answer):
        if is_answer:
            leases.odd_one(dhcp)
            yield from _forged(dhcp, server, window)
        return
    clue: tuple[str, float, Text] | None = None
    contradiction = leases.odd_one(dhcp) if is_answer else ""
    if allowed:
        clue = ("unlisted DHCP server", 4, Text(
            ja=f"台帳にない DHCP サーバ {server} が {dhcp.your_ip or dhcp.requested_ip} を"
            f"貸し出している（ルータ {', '.join(dhcp.routers) or '不明'}）",
            en=f"{server}, which is not on the plan, leases {dhcp.your_ip or dhcp.requested_ip} "
            f"(router {', '.join(dhcp.routers) or 'unknown'})",
        ))  # fmt: skip
    elif is_answer:
        clue = _wrong_by_itself(dhcp, server) or (
            ("contradicts another DHCP server", 4 if "DNS" not in contradiction else 3, Text(
                ja=f"{server} が、同じ VLAN の別の DHCP サーバと食い違う設定を配っている"
                f"（{contradiction}）",
                en=f"{server} hands out what contradicts another DHCP server of the VLAN "
                f"({contradiction})",
            )) if contradiction else None
        )  # fmt: skip
    else:  # the server's own answer went past the sensor, but its client names it
        clue = _wrong_by_itself(dhcp, server)
    if clue is None:
        return
    signal, weight, what = clue
    leased = dhcp.your_ip or dhcp.requested_ip
    if leased:
        around.shared_by[dhcp.vlan, network_of(leased)] = server
    yield Clue(
        host=server,
        mac=dhcp.mac if is_answer and dhcp.ip == server else "",
        family="router",
        signal=signal,
        weight=weight,
        time_ns=dhcp.time_ns,
        what=what,
        confirm=FIND_IT,
        may_stand_alone=weight >= 4,
        targets=tuple(filter(None, [leased])),
        fields={
            "server": server, "leased": leased, "router": ", ".join(dhcp.routers),
            "dns": ", ".join(dhcp.dns_servers), "domain": dhcp.domain, "vlan": dhcp.vlan,
            "vendor_info": dhcp.vendor_info, "client_mac": dhcp.client_mac,
        },
    )  # fmt: skip


def _forged(dhcp: Dhcp, server: str, window: Window) -> Iterator[Clue]:
    """An answer in a listed server's name, from a MAC that is neither its own nor a router's."""
    hospital = window.hospital
    asset = hospital.asset_by_ip.get(server)
    routers = {m.lower() for s in hospital.segments if s.vlan == dhcp.vlan for m in s.gateway_macs}
    if asset is None or not asset.mac or not routers or not dhcp.mac:
        return
    if dhcp.mac in routers | {asset.mac.lower()} or dhcp.mac in gateway_macs(hospital):
        return
    if dhcp.mac.startswith(VIRTUAL_ROUTER_MACS):
        return
    yield Clue(
        host=dhcp.mac,
        mac=dhcp.mac,
        family="router",
        signal="answers as the DHCP server",
        weight=3.0,
        time_ns=dhcp.time_ns,
        what=Text(
            ja=f"{dhcp.mac} が正規の DHCP サーバ {server} を名乗って応答している"
            f"（ルータ {', '.join(dhcp.routers)}、DNS {', '.join(dhcp.dns_servers)}）",
            en=f"{dhcp.mac} answers in the name of the DHCP server {server} "
            f"(router {', '.join(dhcp.routers)}, DNS {', '.join(dhcp.dns_servers)})",
        ),
        confirm=FIND_IT,
        targets=tuple(filter(None, [dhcp.your_ip])),
        fields={
            "server": server, "leased": dhcp.your_ip, "router": ", ".join(dhcp.routers),
            "dns": ", ".join(dhcp.dns_servers), "vlan": dhcp.vlan, "client_mac": dhcp.client_mac,
        },
    )  # fmt: skip


def _wrong_by_itself(dhcp: Dhcp, server: str) -> tuple[str, float, Text] | None:
    """What tells a phone, stick or PC that shares its line, without any plan."""
    found = sharing_range(dhcp.your_ip or server)
    carrier = carrier_of(dhcp.domain)
    if "ANDROID_METERED" in dhcp.vendor_info:
        return ("Android shares its line", 4, Text(
            ja=f"Android 端末 {server} が従量制回線を共有して IP を貸し出している",
            en=f"an Android device, {server}, shares a metered line and leases addresses",
        ))  # fmt: skip
    if carrier:
        return ("carrier's domain in DHCP", 4, Text(
            ja=f"{server} が通信事業者（{carrier}）のドメイン {dhcp.domain} を配っている",
            en=f"{server} hands out the domain {dhcp.domain} of a carrier ({carrier})",
        ))  # fmt: skip
    if found is not None:
        return ("DHCP from a sharing device", 4, Text(
            ja=f"{server} がテザリング機器の既定範囲 {found.prefix} を貸し出している",
            en=f"{server} leases from {found.prefix}, the usual range of: {found.what}",
        ))  # fmt: skip
    is_router = server in dhcp.routers and dhcp.ip == server
    maker = sharing_maker(dhcp.mac) if is_router else ""
    if maker:
        # The made-up MAC of a sharing bridge is mostly the card's own with one bit turned.
        return ("DHCP from a phone or PC", 4 if is_random_mac(dhcp.mac) else 3, Text(
            ja=f"{maker} 製の機器 {server}（{dhcp.mac}）が IP を貸し出しルータを名乗っている"
            "（スマートフォンや PC の回線共有）",
            en=f"{server} ({dhcp.mac}), made by {maker}, leases addresses and claims to be the "
            "router, as phones and PCs do when they share a line",
        ))  # fmt: skip
    if is_router and is_random_mac(dhcp.mac):
        return ("DHCP from a random MAC", 3, Text(
            ja=f"{server} はスマートフォンや PC の共有機能が使う仮の MAC {dhcp.mac} で、"
            "IP を貸し出しルータを名乗っている",
            en=f"{server} leases addresses and claims to be the router from {dhcp.mac}, a made-up "
            "MAC as phones and PCs use to share a line",
        ))  # fmt: skip
    return None


def _gateway_service(ssdp: Ssdp, window: Window) -> Iterator[Clue]:
    """A home router announces itself by UPnP where nothing should lead outside."""
    if ssdp.method == "M-SEARCH" or "InternetGatewayDevice" not in ssdp.search_target:
        return
    listed = window.hospital.asset_by_ip.get(ssdp.ip)
    is_strange = not window.hospital.is_inside(ssdp.ip)  # a router's own network, on this VLAN
    is_closed = is_in_closed_segment(window, ssdp.ip, ssdp.vlan) or (
        is_strange and any(x.closed for x in window.hospital.segments if x.vlan == ssdp.vlan)
    )
    if listed is not None or not is_closed:
        return
    yield Clue(
        host=ssdp.ip,
        mac=ssdp.mac,
        family="router",
        signal="announces an Internet gateway",
        weight=3,
        time_ns=ssdp.time_ns,
        what=Text(
            ja=f"閉域で {ssdp.ip} がインターネットゲートウェイ（UPnP）を名乗っている",
            en=f"{ssdp.ip} announces an Internet gateway (UPnP) in a closed segment",
        ),
        confirm=FIND_IT,
        fields={"server": ssdp.server, "location": ssdp.location},
    )


def _next_hops(window: Window, around: Surroundings) -> Iterator[Clue]:
    """Frames for public addresses whose next hop is no sanctioned gateway."""
    sanctioned = gateway_macs(window.hospital)
    if not sanctioned:
        return
    flows = window.flows
    outward = (around.bits[window.destination] & PUBLIC != 0) & (flows.destination_mac != 0)
    outward &= around.bits[window.source] & PUBLIC == 0
    rows = np.flatnonzero(outward)
    if not len(rows):
        return
    macs, firsts = np.unique(flows.destination_mac[rows], return_index=True)
    for number, first in list(zip(macs.tolist(), firsts.tolist(), strict=True))[:MAX_CLUES]:
        mac = mac_text(number)
        if mac in sanctioned or mac.startswith("00:00:5e:00:") or number >> 40 & 1:
            continue
        row = int(rows[first])
        source = window.hosts.ip(int(window.source[row]))
        destination = window.hosts.ip(int(window.destination[row]))
        router = _router_behind(mac, source, int(flows.vlan[row]), window, around)
        yield Clue(
            host=router or mac,
            mac=mac,
            family="router",
            signal="leads outside",
            weight=4,
            time_ns=int(flows.first_ns[row]),
            what=Text(
                ja=f"{source} から外部 {destination} への通信が、正規のゲートウェイでない"
                f" {mac} を通っている",
                en=f"traffic from {source} to {destination}, outside, goes through {mac}, which "
                "is no sanctioned gateway",
            ),
            confirm=FIND_IT,
            may_stand_alone=True,
            targets=(destination,),
            fields={"next_hop_mac": mac, "client": source, "destination": destination},
            flows=flow_keys(flows.take(slice(row, row + 1))),
        )


def _router_behind(mac: str, client: str, vlan: int, window: Window, around: Surroundings) -> str:
    """The address of an unlisted router: who leased to its client, or whose MAC it is."""
    return around.shared_by.get((vlan, network_of(client)), "") or around.home_of(mac, window)


def _shared_lans(window: Window, around: Surroundings) -> Iterator[Clue]:
    """Without a plan: hosts that live in a sharing range and reach the Internet from there."""
    bits = around.bits
    flows = window.flows
    shared = (bits[window.source] & SHARING != 0) & (bits[window.destination] & PUBLIC != 0)
    rows = np.flatnonzero(shared & (flows.reply_packets > 0))
    _, firsts = np.unique(window.source[rows], return_index=True)
    for row in rows[firsts][:MAX_CLUES].tolist():
        client = window.hosts.ip(int(window.source[row]))
        found = sharing_range(client)
        if found is None or bits[window.source[row]] & INSIDE == 0:
            continue
        router = around.shared_by.get((int(flows.vlan[row]), network_of(client)))
        yield Clue(
            host=router or str(found.gateway),
            mac=mac_text(flows.destination_mac[row]),
            family="router",
            signal="a LAN in a sharing range",
            weight=3,
            time_ns=int(flows.first_ns[row]),
            what=Text(
                ja=f"{client} がテザリング機器の既定範囲 {found.prefix} から外部と通信している",
                en=f"{client} reaches outside from {found.prefix}, the range of: {found.what}",
            ),
            confirm=FIND_IT,
            targets=(client,),
            fields={"client": client, "range": str(found.prefix), "sharer": found.what},
            flows=flow_keys(flows.take(slice(row, row + 1))),
        )


def sharing_maker(mac: str) -> str:
    """The maker of phones or PCs behind a MAC, read with its local bit off; empty for others."""
    if len(mac) != 17 or mac.lower().startswith(_VIRTUAL_MACHINES):
        return ""
    number = int(mac.replace(":", ""), 16)
    is_local = bool(number >> 41 & 1)
    maker = oui_vendor(number & ~(1 << 41))
    makers = _PHONE_MAKERS + (_CARD_MAKERS if is_local else ())
    words = set(maker.lower().replace(",", " ").split())
    return next((m for m in makers if set(m.lower().split()) <= words), "")


def is_random_mac(mac: str) -> bool:
    """True for locally administered MACs, those of common virtual machines left out."""
    if len(mac) != 17 or mac.lower().startswith(_VIRTUAL_MACHINES):
        return False
    return bool(int(mac[:2], 16) & 2)
