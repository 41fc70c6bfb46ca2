"""EX-1, family 4: a MAC or a name that belongs to a modem, a mobile router or a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import mac_text
from collector.sightings import Arp, Dhcp
from detector.detection import Window
from detector.hospital import Hospital
from detector.lines.clues import Clue
from detector.lines.family_leak import LOOK
from detector.lines.reference import modem_makers
from detector.lines.speaker_kernels import hear_macs
from detector.lines.surroundings import Surroundings, gateway_macs
from detector.words import Text

#: Every HiLink stick carries this MAC, and every one in NCM mode the other (§4).
_STICKS: Final = ("0c:5b:8f:27:9a:64", "00:1e:10:1f:00:00")
_PHONE_NAME: Final = re.compile(r"(?i)android[-_]|.*(iphone|ipad)|galaxy[-_]|pixel[-_]|xperia")
MAX_MACS: Final = 200_000


@dataclass
class Identities:
    """MACs and clients already looked at; the collector's words are long, MACs come again."""

    seen: dict[str, None] = field(default_factory=dict)
    #: MACs of flows as numbers, looked at since this was last emptied.
    looked_at: set[int] = field(default_factory=set)
    #: By host number: the MAC it spoke from last, since then; 0 for none.
    last_mac: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    def is_new(self, key: str) -> bool:
        if key in self.seen:
            return False
        self.seen[key] = None
        if len(self.seen) > MAX_MACS:
            self.seen.pop(next(iter(self.seen)))
        return True


def find_identities(window: Window, around: Surroundings, identities: Identities) -> Iterator[Clue]:
    """Hints: a maker says what a device may be, never what it does; the stick's MAC is proof."""
    listed: frozenset[str] | None = None  # made once somebody new speaks
    has_plan = bool(window.hospital.segments)  # without one, any maker of routers may be proper
    for mac, time_ns in _speaking_macs(window, identities):
        if mac in identities.seen:
            continue
        listed = listed if listed is not None else _listed_macs(window.hospital)
        if mac in listed:
            continue
        identities.is_new(mac)
        if mac in _STICKS:
            yield _stick(mac, time_ns, window, around)
            continue
        maker = modem_makers().get(int(mac.replace(":", "")[:6], 16)) if has_plan else None
        if maker is not None and not around.is_router(mac, window.hospital):
            yield _modem(mac, maker.vendor, maker.kind, time_ns, window, around)
    for dhcp in window.of(Dhcp) if has_plan else ():
        if dhcp.message not in ("discover", "request"):
            continue
        listed = listed if listed is not None else _listed_macs(window.hospital)
        if dhcp.client_mac in listed:
            continue
        sign = dhcp.host_name if _PHONE_NAME.match(dhcp.host_name) else ""
        sign = sign or (dhcp.vendor_class if dhcp.vendor_class.startswith("android-dhcp") else "")
        if sign and identities.is_new(f"phone {dhcp.client_mac}"):
            yield _phone(dhcp, sign, window, around)


def _speaking_macs(window: Window, identities: Identities) -> Iterator[tuple[str, int]]:
    flows = window.flows
    if len(identities.looked_at) > MAX_MACS:
        identities.looked_at.clear()
        identities.last_mac[:] = 0
    for row in _of_other_macs(window, identities).tolist():
        number = int(flows.source_mac[row])
        if number not in identities.looked_at:
            identities.looked_at.add(number)
            yield mac_text(number), int(flows.first_ns[row])
    for arp in window.of(Arp):
        if len(arp.sender_mac) == 17:
            yield arp.sender_mac, arp.time_ns


def _of_other_macs(window: Window, identities: Identities) -> NDArray[np.int64]:
    """Rows whose host spoke from another MAC before, or from none: the only ones with news."""
    if len(identities.last_mac) < len(window.hosts):
        grown = np.zeros(2 * len(window.hosts), np.uint64)
        grown[: len(identities.last_mac)] = identities.last_mac
        identities.last_mac = grown
    rows = np.empty(len(window.flows), np.int64)
    flows = window.flows.rows.view(OUTPUT_DTYPE)
    return rows[: hear_macs(flows, window.source, identities.last_mac, rows)]


def _listed_macs(hospital: Hospital) -> frozenset[str]:
    assets = (m.lower() for a in hospital.assets for m in (a.mac, *a.private_nics))
    lines = (line.device_mac.lower() for line in hospital.lines)
    return frozenset(filter(None, (*assets, *lines))) | gateway_macs(hospital)


def _stick(mac: str, time_ns: int, window: Window, around: Surroundings) -> Clue:
    return Clue(
        host=around.home_of(mac, window) or mac,
        mac=mac,
        family="identity",
        signal="MAC of a USB stick",
        weight=4,
        time_ns=time_ns,
        what=Text(
            ja=f"USB 型モバイル通信機器（HiLink/NCM）に固有の MAC {mac} が LAN 上で発信している",
            en=f"{mac}, the MAC that all HiLink or NCM sticks share, speaks on the LAN",
        ),
        confirm=LOOK,
        may_stand_alone=True,
        fields={"stick_mac": mac},
    )


def _modem(
    mac: str, vendor: str, kind: str, time_ns: int, window: Window, around: Surroundings
) -> Clue:
    return Clue(
        host=around.home_of(mac, window) or mac,
        mac=mac,
        family="identity",
        signal=f"maker of {kind}s",
        weight=2 if kind != "router" else 1,
        time_ns=time_ns,
        what=Text(
            ja=f"MAC {mac} は通信モジュール・ルータの製造者（{vendor}）のもの",
            en=f"{mac} belongs to a maker of {kind}s ({vendor})",
        ),
        confirm=LOOK,
        shared=f"maker {vendor}",
        fields={"maker": vendor, "kind": kind},
    )


def _phone(dhcp: Dhcp, sign: str, window: Window, around: Surroundings) -> Clue:
    return Clue(
        host=around.home_of(dhcp.client_mac, window) or dhcp.client_mac,
        mac=dhcp.client_mac,
        family="identity",
        signal="a phone asks for an address",
        weight=2,
        time_ns=dhcp.time_ns,
        what=Text(
            ja=f"スマートフォンを示す名前 {sign} で DHCP を要求した",
            en=f"asks for an address under a phone's name, {sign}",
        ),
        confirm=LOOK,
        shared=f"phones on VLAN {dhcp.vlan}",
        fields={"name": sign, "vlan": dhcp.vlan},
    )
