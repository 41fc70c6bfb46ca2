"""Who called which place outside, when and how much: what the beacon detector remembers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.sightings import Http, TlsClientHello
from detector.addresses import in_networks, inside_flags
from detector.detection import Window, app_table
from detector.landing import networks_of
from detector.window_kernels import NEAR, TO_ONE

_S: Final = 1_000_000_000
_NAMED: Final = 1 << 31
_MOST: Final = 500_000
#: Services that are regular by design.
_REGULAR_BY_DESIGN: Final = (
    "ntp", "dns", "mdns", "llmnr", "nbns", "ssdp", "dhcp", "dhcpv6", "snmp", "syslog", "netflow",
    "sflow", "icmp", "igmp", "bgp", "ospf", "vrrp", "netbios", "radius", "ikev1", "ikev2", "esp",
    "ikev1_aggressive", "nat_t", "stun", "rtp", "upnp",
)  # fmt: skip
_PROXY_PORT: Final = 3128
_IS_REGULAR: Final = app_table(_REGULAR_BY_DESIGN)

CALL: Final = np.dtype([("group", "u8"), ("second", "i8"), ("bytes", "u8"), ("target", "u4")])


@dataclass
class Calls:
    """Calls of the last day and, thinned to what is rare, of the last week.

    A group is a source and a place: source << 32 | target, or the target's name where TLS or HTTP
    told one.
    """

    start_ns: int = 0
    fresh: list[NDArray[Any]] = field(default_factory=list)
    day: NDArray[Any] = field(default_factory=lambda: np.zeros(0, CALL))
    week: NDArray[Any] = field(default_factory=lambda: np.zeros(0, CALL))
    names: dict[str, int] = field(default_factory=dict)
    name_of_pair: OrderedDict[int, int] = field(default_factory=OrderedDict)
    app_of_group: dict[int, int] = field(default_factory=dict)
    first_call: dict[int, int] = field(default_factory=dict)  # place → second
    marks: dict[int, set[str]] = field(default_factory=dict)  # group → signatures, "" = no host
    users: dict[str, set[int]] = field(default_factory=dict)  # signature → sources, up to 3

    def note(self, window: Window) -> None:
        """Take in a window's names, signatures and calls."""
        self.start_ns = self.start_ns or window.start_ns
        self._note_names(window)
        chosen = _towards_outside(window)
        if chosen.any():
            self._note_calls(window, chosen)

    def place(self, group: int, window: Window) -> str:
        """The name or address that a group calls."""
        place = group & 0xFFFF_FFFF
        return list(self.names)[place & (_NAMED - 1)] if place & _NAMED else window.hosts.ip(place)

    def is_rare_mark(self, group: int) -> bool:
        """Does it call with a signature (JA4, user agent) that nobody else here has."""
        return any(
            mark and len(self.users.get(mark, ())) == 1 for mark in self.marks.get(group, ())
        )

    def has_no_host(self, group: int) -> bool:
        return "" in self.marks.get(group, ())

    def _note_names(self, window: Window) -> None:
        for hello in window.of(TlsClientHello):
            self._note_name(window, hello.ip, hello.peer_ip, hello.sni, hello.ja4)
        for request in window.of(Http):
            name = request.host.split(":")[0]
            self._note_name(window, request.ip, request.peer_ip, name, request.user_agent)
            if not name and request.peer_ip:
                self._mark(self._group(*_numbers(window, request.ip, request.peer_ip)), "")
        while len(self.name_of_pair) > _MOST:
            self.name_of_pair.popitem(last=False)

    def _note_name(self, window: Window, ip: str, peer_ip: str, name: str, mark: str) -> None:
        if not ip or not peer_ip:
            return
        source, target = _numbers(window, ip, peer_ip)
        if name and len(self.names) < _MOST:
            pair = source << 32 | target
            self.name_of_pair[pair] = self.names.setdefault(name, len(self.names))
            self.name_of_pair.move_to_end(pair)
        if mark and len(self.users) < _MOST:
            users = self.users.setdefault(mark, set())
            if len(users) < 3:
                users.add(source)
            self._mark(self._group(source, target), mark)

    def _mark(self, group: int, mark: str) -> None:
        marks = self.marks.setdefault(group, set()) if len(self.marks) < _MOST else set()
        if len(marks) < 8:
            marks.add(mark)

    def _group(self, source: int, target: int) -> int:
        name = self.name_of_pair.get(source << 32 | target, -1)
        return source << 32 | (target if name < 0 else _NAMED | name)

    def _note_calls(self, window: Window, chosen: NDArray[np.bool_]) -> None:
        flows = window.flows
        rows = np.zeros(int(chosen.sum()), CALL)
        pairs = window.source[chosen].astype(np.uint64) << np.uint64(32)
        rows["target"] = window.destination[chosen]
        unique, back = np.unique(pairs | rows["target"], return_inverse=True)
        groups = [self._group(pair >> 32, pair & 0xFFFF_FFFF) for pair in unique.tolist()]
        rows["group"] = np.array(groups, np.uint64)[back]
        rows["second"] = flows.first_ns[chosen] // _S
        rows["bytes"] = flows.bytes[chosen]
        self.fresh.append(rows)
        if len(self.app_of_group) < _MOST:
            apps = flows.app[chosen].tolist()
            self.app_of_group.update(zip(rows["group"].tolist(), apps, strict=True))
        if len(self.first_call) < _MOST:
            second = window.start_ns // _S
            for group in groups:
                self.first_call.setdefault(group & 0xFFFF_FFFF, second)


def sources_by_place(calls: NDArray[Any]) -> dict[int, int]:
    """How many sources each place (name, or target without one) was called by."""
    pairs = np.unique(calls["group"])
    places = pairs & np.uint64(0xFFFF_FFFF)
    unique, counts = np.unique(places, return_counts=True)
    return dict(zip(unique.tolist(), counts.tolist(), strict=True))


def _towards_outside(window: Window) -> NDArray[np.bool_]:
    """Calls across the border, or to an inside proxy; what a registered line does is left out.

    From inside unanswered attempts count, too: a closed segment shows nothing else. From outside,
    where half the world knocks, only conversations do.
    """
    flows = window.flows
    ours, theirs = inside_flags(window)
    to_proxy = (flows.app == APP_CODE["http_proxy"]) | (flows.destination_port == _PROXY_PORT)
    chosen: NDArray[np.bool_] = (ours & ~theirs) | (~ours & theirs)
    chosen |= to_proxy & (flows.protocol == 6)
    chosen &= (window.marks & TO_ONE != 0) & (flows.part == 0)
    chosen &= (flows.protocol == 6) | (flows.protocol == 17)
    chosen &= (flows.sampling <= 1) & (flows.packets > 0)
    chosen &= ~_IS_REGULAR[flows.app]
    if not chosen.any():
        return chosen
    # Both sent more than headers (TCP with time stamps: 52 bytes).
    talks = (flows.bytes > 52 * flows.packets) & (flows.reply_bytes > 52 * flows.reply_packets)
    talks &= flows.reply_packets > 0
    chosen &= talks | (window.hosts.traits[window.source] & NEAR != 0)
    lines = tuple(networks_of(tuple(o for line in window.hospital.lines for o in line.outside)))
    if lines:
        chosen &= ~in_networks(flows.source, lines) & ~in_networks(flows.destination, lines)
    return chosen


def _numbers(window: Window, *ips: str) -> Iterable[int]:
    return tuple(window.hosts.number_of(ip) for ip in ips)
