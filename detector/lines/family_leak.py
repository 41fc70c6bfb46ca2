"""EX-1, family 1: the address of a second line leaks onto the LAN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from collector.flows import mac_text
from collector.sightings import Arp, NeighborAdvertisement
from detector.detection import Window
from detector.lines.addresses import INSIDE, LOOPBACK, PUBLIC, SHARING, SPECIAL
from detector.lines.clues import Clue
from detector.lines.foreign import DRAWN, OTHER_PRIVATE, foreign_weight, is_drawn
from detector.lines.reference import is_router_default, is_sharing_gateway, sharing_range
from detector.lines.sessions import flow_keys
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import Surroundings, is_known_second_nic, network_of
from detector.sift import sift
from detector.sift_kernels import FOREIGN
from detector.words import Text

#: A private address outside the plan that tries to reach the Internet had a way there: newer
#: Android draws it from all private ranges, so the range tells nothing, but the destination does.
OUTWARD: Final = 3.0
MAX_LEAKS: Final = 500  # a window; a flood of forged sources must not cost more

LOOK: Final = Text(
    ja="機器の USB 口と背面を見て、スマートフォン、USB モデム、もう一枚の LAN 線がないか確かめる。",
    en="Look at the machine's USB sockets and back for a phone, a stick or a second cable.",
)


def find_leaks(window: Window, around: Surroundings) -> Iterator[Clue]:
    """Packets, ARP and neighbour discovery from an address that is not of this LAN."""
    yield from _flow_leaks(window, around)
    yield from _arp_leaks(window, around)
    for said in window.of(NeighborAdvertisement)[:MAX_LEAKS]:
        yield from _leak(
            window, around, said.target_ip, said.target_mac, said.vlan, said.time_ns, "ND"
        )
    if window.hospital.segments:
        yield from _routed_leaks(window, around)


def _routed_leaks(window: Window, around: Surroundings) -> Iterator[Clue]:
    """From flow exports alone: no MAC tells whose the address is, so it stands for itself."""
    rows = window.once(sift).rows(FOREIGN)
    if not len(rows):
        return
    flows = window.flows
    foreign = around.bits[window.source[rows]] & (INSIDE | SPECIAL | LOOPBACK | PUBLIC) == 0
    # Inwards it looks for somebody; outwards the core takes what a lost line leaves behind.
    foreign &= around.bits[window.destination[rows]] & (INSIDE | PUBLIC) != 0
    rows = rows[foreign & (flows.source_mac[rows] == 0)]
    _, firsts = np.unique(window.source[rows], return_index=True)
    for row in rows[np.sort(firsts)][:MAX_LEAKS].tolist():
        ip = window.hosts.ip(int(window.source[row]))
        weight = foreign_weight(ip, window.hospital)
        if weight == 0:
            continue
        is_outward = bool(around.bits[window.destination[row]] & PUBLIC)
        if is_outward and weight == OTHER_PRIVATE:
            weight = OUTWARD
        yield Clue(
            host=ip,
            family="leak",
            signal=f"routed from {network_of(ip)}",
            weight=weight,
            time_ns=int(flows.first_ns[row]),
            what=Text(
                ja=f"院内にないはずの {ip} から{'院外' if is_outward else '院内'}への通信が"
                "ルータを通っている",
                en=f"traffic from {ip}, which is not of the plan, is routed "
                f"{'out of' if is_outward else 'into'} the hospital",
            ),
            confirm=Text(
                ja="ルータの ARP・経路表で、このアドレスがどの機器の背後にあるか確かめる。",
                en="Look in the router's ARP and route tables which machine it lies behind.",
            ),
            # A guests' network that nobody planned may use any range, also a phone's.
            shared="" if sharing_range(ip) and not is_outward else f"leak {network_of(ip)}",
            targets=(window.hosts.ip(int(window.destination[row])),),
            fields={"foreign_ip": ip, "range": _range_name(ip)},
            flows=flow_keys(flows.take(slice(row, row + 1))),
        )


def _flow_leaks(window: Window, around: Surroundings) -> Iterator[Clue]:
    rows = window.once(sift).rows(FOREIGN)
    if not len(rows):
        return
    flows, bits = window.flows, around.bits[window.source[rows]]
    foreign = (bits & SHARING) != 0
    if window.hospital.segments:
        foreign |= (bits & (INSIDE | SPECIAL | LOOPBACK)) == 0
    rows = rows[foreign & (flows.source_mac[rows] != 0)]
    if not len(rows):
        return
    _, firsts = np.unique(window.source[rows], return_index=True)
    for row in rows[np.sort(firsts)][:MAX_LEAKS].tolist():
        mac = mac_text(flows.source_mac[row])
        yield from _leak(
            window,
            around,
            ip=window.hosts.ip(int(window.source[row])),
            mac=mac,
            vlan=int(flows.vlan[row]),
            time_ns=int(flows.first_ns[row]),
            seen_in=f"→ {window.hosts.ip(int(window.destination[row]))}",
            row=row,
            is_outward=bool(around.bits[window.destination[row]] & PUBLIC),
        )


def _arp_leaks(window: Window, around: Surroundings) -> Iterator[Clue]:
    told: set[tuple[str, str]] = set()
    for arp in window.of(Arp):
        if (arp.sender_mac, arp.sender_ip) not in told and len(told) < MAX_LEAKS:
            told.add((arp.sender_mac, arp.sender_ip))
            if is_sharing_gateway(arp.sender_ip):
                yield from _gateway(arp, window, around)
            else:
                yield from _leak(
                    window, around, arp.sender_ip, arp.sender_mac, arp.vlan, arp.time_ns, "ARP"
                )
        if arp.operation != 1 or not is_sharing_gateway(arp.target_ip):
            continue
        home = around.home_of(arp.sender_mac, window)
        if home and sharing_range(arp.sender_ip) is None:
            yield Clue(
                host=home,
                mac=arp.sender_mac,
                family="leak",
                signal="asks for a sharing gateway",
                weight=1.5,
                time_ns=arp.time_ns,
                what=Text(
                    ja=f"テザリング機器の既定ゲートウェイ {arp.target_ip} を ARP で探している",
                    en=f"asks by ARP for {arp.target_ip}, the usual gateway of a sharing device",
                ),
                confirm=LOOK,
                fields={"arp_target": arp.target_ip},
            )


def _gateway(arp: Arp, window: Window, around: Surroundings) -> Iterator[Clue]:
    """It has the very address at which a phone, stick or sharing PC is the way out."""
    ip, mac = arp.sender_ip, arp.sender_mac
    home = around.home_of(mac, window)
    if foreign_weight(ip, window.hospital) == 0 or around.is_router(mac, window.hospital):
        return
    if is_known_second_nic(ip, mac, home, window.hospital):
        return
    if not home and not window.hospital.segments:
        return  # somebody's own network may use the range, as homes do
    yield Clue(
        host=home or ip,
        mac=mac,
        family="router",
        signal="is a sharing gateway",
        weight=4.0,
        time_ns=arp.time_ns,
        what=Text(
            ja=f"テザリングや接続共有の出口が使うアドレス {ip} を、この LAN で名乗っている"
            f"（{_range_name(ip)}）",
            en=f"it claims {ip} on this LAN, the address of a shared way out ({_range_name(ip)})",
        ),
        confirm=LOOK,
        may_stand_alone=True,
        targets=(ip,),
        fields={"foreign_ip": ip, "seen_in": "ARP", "range": _range_name(ip)},
    )


def _leak(
    window: Window,
    around: Surroundings,
    ip: str,
    mac: str,
    vlan: int,
    time_ns: int,
    seen_in: str,
    row: int | None = None,
    *,
    is_outward: bool = False,
) -> Iterator[Clue]:
    weight = around.foreignness(ip, vlan, window)
    if is_outward and weight == OTHER_PRIVATE:
        weight = OUTWARD
    if weight == 0 or around.is_router(mac, window.hospital):
        return
    home = around.home_of(mac, window)
    if not home and seen_in == "ARP" and is_router_default(ip):
        yield _unknown_router(ip, mac, time_ns)
        return
    router = around.shared_by.get((vlan, network_of(ip)), "")
    if router and ip != router:
        yield _client(router, ip, home, mac, time_ns)
        return
    if not home or home == ip or is_known_second_nic(ip, mac, home, window.hospital):
        return
    is_sharing = sharing_range(ip) is not None
    is_alone = around.is_only(home, ip) and is_drawn(ip)
    if weight == OTHER_PRIVATE and is_alone and is_in_closed_segment(window, home, vlan):
        weight = DRAWN
    yield Clue(
        host=home,
        mac=mac,
        family="leak",
        signal=f"speaks as {network_of(ip)}",
        weight=weight,
        time_ns=time_ns,
        what=Text(
            ja=f"同じ MAC が院内にない {ip} からも発信している（{seen_in}）",
            en=f"the same MAC also speaks from {ip}, which is not of this LAN ({seen_in})",
        ),
        confirm=LOOK,
        shared="" if is_sharing else f"leak {network_of(ip)}",
        targets=(ip,),
        fields={"foreign_ip": ip, "seen_in": seen_in, "range": _range_name(ip)},
        flows=flow_keys(window.flows.take(slice(row, row + 1))) if row is not None else (),
    )


def _unknown_router(ip: str, mac: str, time_ns: int) -> Clue:
    """A device without an address of this LAN has the one that routers have when unpacked."""
    return Clue(
        host=mac,
        mac=mac,
        family="router",
        signal=f"has the address of a new router, {ip}",
        weight=2.0,
        time_ns=time_ns,
        what=Text(
            ja=f"院内のアドレスを持たない {mac} が、市販ルータの初期アドレス {ip} を使っている",
            en=f"{mac}, which has no address of this LAN, uses {ip}, a router's default",
        ),
        confirm=LOOK,
        shared=f"router default {ip}",
        targets=(ip,),
        fields={"foreign_ip": ip, "seen_in": "ARP"},
    )


def _client(router: str, ip: str, home: str, mac: str, time_ns: int) -> Clue:
    """A terminal that a known unlisted router serves: evidence against the router."""
    return Clue(
        host=router,
        family="leak",
        signal=f"serves {home or mac or ip}",
        weight=2.0,
        time_ns=time_ns,
        what=Text(
            ja=f"端末 {home or mac} が {ip} を使い始めている",
            en=f"terminal {home or mac} has begun to use {ip}",
        ),
        confirm=Text(
            ja="端末の IP 設定を確かめ、正規の DHCP から取り直させる。",
            en="Check the terminal's address and have it ask the proper DHCP server again.",
        ),
        targets=(home or ip,),
        fields={"client": home or mac, "client_ip": ip},
    )


def _range_name(ip: str) -> str:
    found = sharing_range(ip)
    return found.what if found else ""
