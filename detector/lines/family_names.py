"""EX-1, family 2: a host tells by name services that it has an address of a second line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from collector.sightings import (
    Dcerpc,
    Dhcp,
    DnsUpdate,
    NameAnnouncement,
    Sighting,
    Smb,
    Ssdp,
)
from detector.detection import Window
from detector.lines.clues import Clue
from detector.lines.family_leak import LOOK
from detector.lines.foreign import DRAWN, OTHER_PRIVATE, foreign_weight, is_drawn
from detector.lines.reference import is_sharing_gateway, sharing_range
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import Surroundings, is_known_second_nic, network_of
from detector.words import Text

_STAYS: Final = 3.0
_ICS: Final = "192.168.137.1"  # the sharing PC itself


@dataclass(frozen=True)
class _Telling:
    """A way of telling one's addresses: what it is called, its weight, whether it is proof."""

    signal: str
    ja: str
    en: str
    weight: float
    may_stand_alone: bool


_DNS_UPDATE = _Telling("DNS UPDATE", "DNS の動的更新", "DNS UPDATE", 4, True)
_SMB = _Telling("SMB adapters", "SMB の NIC 一覧", "the SMB adapter list", 4, True)
_DCOM = _Telling("DCOM bindings", "DCOM の応答", "DCOM bindings", 4, True)
_ANNOUNCED = _Telling("name announcement", "名前の告知", "a name announcement", 2.5, False)
_SSDP = _Telling("SSDP location", "SSDP の告知", "an SSDP announcement", 2.5, False)
_DHCP = _Telling(
    "DHCP request", "DHCP で以前の IP を要求", "a DHCP request for an old lease", 2.5, False
)


def find_names(window: Window, around: Surroundings) -> Iterator[Clue]:
    """Addresses outside the plan that a host names as its own."""
    for update in window.of(DnsUpdate):
        if not update.is_response:
            yield from _told(update, update.addresses, _DNS_UPDATE, window, around, update.name)
    for smb in window.of(Smb):
        if smb.addresses:
            yield from _told(smb, smb.addresses, _SMB, window, around)
    for call in window.of(Dcerpc):
        if call.addresses:
            yield from _told(call, call.addresses, _DCOM, window, around)
    for name in window.of(NameAnnouncement):
        if name.addresses and not _speaks_for_others(name):
            named = " ".join(name.names[:2])
            yield from _told(name, name.addresses, _ANNOUNCED, window, around, named)
    for ssdp in window.of(Ssdp):
        address = _host_of(ssdp.location)
        if address and ssdp.method != "M-SEARCH":
            yield from _told(ssdp, (address,), _SSDP, window, around, ssdp.server)
    for dhcp in window.of(Dhcp):
        if dhcp.message in ("discover", "request") and dhcp.requested_ip and not dhcp.server_id:
            yield from _old_lease(dhcp, window, around)


def _told(
    said: Sighting,
    addresses: Iterable[str],
    how: _Telling,
    window: Window,
    around: Surroundings,
    name: str = "",
) -> Iterator[Clue]:
    """One clue for each foreign address beside the speaker's own."""
    host = said.ip
    if said.ip.startswith("fe80:"):  # the link's own address; the host has another name
        host = around.home_of(said.mac, window)
    if not window.hospital.is_inside(host):
        return
    own_range = sharing_range(host)
    for ip in dict.fromkeys(addresses):
        weight = around.foreignness(ip, said.vlan, window)
        found = sharing_range(ip)
        if ip == host or weight == 0 or (found is not None and found == own_range):
            continue
        if is_known_second_nic(ip, said.mac, host, window.hospital):
            continue
        is_closed = is_in_closed_segment(window, host, said.vlan)
        if weight == OTHER_PRIVATE and is_closed and _is_drawn_by(host, ip, around):
            weight = DRAWN
        if is_sharing_gateway(ip) and ip != _ICS:
            weight = min(weight, OTHER_PRIVATE)  # a printer's own Wi-Fi, not a client of a phone
        is_proof = how.may_stand_alone and weight >= 2
        yield Clue(
            host=host,
            mac="" if around.is_router(said.mac, window.hospital) else said.mac,
            family="names",
            signal=how.signal,
            weight=max(how.weight, weight) if weight >= OTHER_PRIVATE else 1.0,
            time_ns=said.time_ns,
            what=Text(
                ja=f"{how.ja}で、院内にない {ip} を自分のアドレスとして示した",
                en=f"{how.en} shows {ip}, which is not of this LAN, as its own",
            ),
            confirm=LOOK,
            may_stand_alone=is_proof,
            shared="" if found else f"names {network_of(ip)}",
            targets=(ip,),
            fields={"foreign_ip": ip, "name": name, "told_to": said.peer_ip},
        )


def _speaks_for_others(said: NameAnnouncement) -> bool:
    """A WINS server's answer tells of its clients; a question tells of nobody.

    An mDNS probe brings its own records (RFC 6762 §8.1) and is more than a question.
    """
    if said.protocol == "nbns" and said.operation == "response":
        return said.ip not in said.addresses
    return said.operation == "query" and said.protocol != "mdns"


def _old_lease(dhcp: Dhcp, window: Window, around: Surroundings) -> Iterator[Clue]:
    """A client asks for the lease that another network gave it earlier.

    Laptops come from homes and meetings. A machine of a closed segment that had worked here
    before went nowhere: another network came to it.
    """
    asked = foreign_weight(dhcp.requested_ip, window.hospital)
    if not window.hospital.segments or asked < OTHER_PRIVATE:
        return
    home = around.home_of(dhcp.client_mac, window)
    stays = bool(home) and is_in_closed_segment(window, home, dhcp.vlan)
    is_shared = sharing_range(dhcp.requested_ip) is not None
    if not is_shared and not stays:
        return
    weight = _STAYS if is_shared and stays else _DHCP.weight if is_shared else asked
    host = home or dhcp.client_mac
    if asked == OTHER_PRIVATE and _is_drawn_by(host, dhcp.requested_ip, around):
        weight = DRAWN
    yield Clue(
        host=host,
        mac=dhcp.client_mac,
        family="names",
        signal=_DHCP.signal,
        weight=weight,
        time_ns=dhcp.time_ns,
        what=Text(
            ja=f"以前{'テザリング機器' if is_shared else '別のネットワーク'}から借りた"
            f" {dhcp.requested_ip} を DHCP で要求した",
            en=f"asks by DHCP for {dhcp.requested_ip}, which "
            f"{'a sharing device' if is_shared else 'another network'} once leased to it",
        ),
        confirm=LOOK,
        shared="" if is_shared else f"lease {network_of(dhcp.requested_ip)}",
        targets=(dhcp.requested_ip,),
        fields={"foreign_ip": dhcp.requested_ip, "name": dhcp.host_name},
    )


def _is_drawn_by(host: str, ip: str, around: Surroundings) -> bool:
    """An address that nobody would have typed, of a network that no other host has shown."""
    return around.is_only(host, ip) and is_drawn(ip)


def _host_of(location: str) -> str:
    """The address in a URL; empty where there is none."""
    try:
        return urlsplit(location).hostname or ""
    except ValueError:
        return ""
