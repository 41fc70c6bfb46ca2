"""Who called which place outside, when and how much: what the beacon detector remembers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.sightings import Http, TlsClientHello
from detector.addresses import in_networks
from detector.detection import Window, app_table
from detector.hospital import RegisteredLine
from detector.landing import networks_of
from detector.outbound.beacon_kernels import choose_calls
from detector.window_kernels import TO_ONE

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

CALL: Final = np.dtype(
    [("group", "u8"), ("second", "i8"), ("bytes", "u8"), ("target", "u4"), ("app", "u2")],
    align=True,
)


@dataclass
class Calls:
    """Calls of the last day and, thinned to what is rare, of the last week.

    A group is a source and a place: source << 32 | target, or the target's name where TLS or HTTP
    told one.
    """

    start_ns: int = 0
    fresh: list[NDArray[Any]] = field(default_factory=list)
    fresh_ns: list[int] = field(default_factory=list)  # when the window of each began
    week_fresh: list[NDArray[Any]] = field(default_factory=list)
    day: NDArray[Any] = field(default_factory=lambda: np.zeros(0, CALL))
    week: NDArray[Any] = field(default_factory=lambda: np.zeros(0, CALL))
    names: dict[str, int] = field(default_factory=dict)
    name_of_pair: OrderedDict[int, int] = field(default_factory=OrderedDict)
    app_of_group: dict[int, int] = field(default_factory=dict)
    first_call: dict[int, int] = field(default_factory=dict)  # place → second
    marks: dict[int, set[str]] = field(default_factory=dict)  # group → signatures, "" = no host
    users: dict[str, set[int]] = field(default_factory=dict)  # signature → sources, up to 3
    #: By host number: the outside end of a line of this register.
    is_line: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    lines: tuple[RegisteredLine, ...] = ()

    def note(self, window: Window) -> None:
        """Take in a window's names, signatures and calls."""
        self.start_ns = self.start_ns or window.start_ns
        self._note_names(window)
        if window.every_mark & TO_ONE:
            self._note_calls(window)

    def take_fresh(self) -> NDArray[Any]:
        """The calls noted since the last time, in order; what they tell of places is noted."""
        calls = np.concatenate([np.zeros(0, CALL), *self.fresh])
        if len(self.app_of_group) < _MOST:
            # Of a group's calls the last tells its application.
            groups, last = np.unique(calls["group"][::-1], return_index=True)
            apps = calls["app"][::-1][last].tolist()
            self.app_of_group.update(zip(groups.tolist(), apps, strict=True))
        if len(self.first_call) < _MOST:
            sizes = [len(some) for some in self.fresh]
            seconds = np.repeat(np.array(self.fresh_ns, np.int64) // _S, sizes)
            places, first = np.unique(calls["group"] & np.uint64(0xFFFF_FFFF), return_index=True)
            for place, second in zip(places.tolist(), seconds[first].tolist(), strict=True):
                self.first_call.setdefault(place, second)
        self.week_fresh.append(calls)
        self.fresh.clear()
        self.fresh_ns.clear()
        return calls

    def take_week_fresh(self) -> NDArray[Any]:
        """The calls that were given to the day since the last time."""
        calls = np.concatenate([np.zeros(0, CALL), *self.week_fresh])
        self.week_fresh.clear()
        return calls

    def place(self, group: int, window: Window) -> str:
        """The name or address that a group calls."""
        place = group & 0xFFFF_FFFF
        if not place & _NAMED:
            return window.hosts.ip(place)
        return next(islice(self.names, place & (_NAMED - 1), None))

    def is_rare_mark(self, group: int) -> bool:
        """Does it call with a signature (JA4, user agent) that nobody else here has."""
        return any(
            mark and len(self.users.get(mark, ())) == 1 for mark in self.marks.get(group, ())
        )

    def has_no_host(self, group: int) -> bool:
        return "" in self.marks.get(group, ())

    def _note_names(self, window: Window) -> None:
        hellos, requests = window.of(TlsClientHello), window.of(Http)
        said = [(h.ip, h.peer_ip, h.sni, h.ja4, False) for h in hellos]
        said += [(r.ip, r.peer_ip, r.host.split(":")[0], r.user_agent, True) for r in requests]
        said = [one for one in said if one[0] and one[1]]
        numbers = window.hosts.numbers_of([ip for one in said for ip in one[:2]])
        for one, source, target in zip(said, numbers[::2], numbers[1::2], strict=True):
            _, _, name, mark, is_request = one
            self._note_name(source, target, name, mark)
            if is_request and not name:
                self._mark(self._group(source, target), "")
        while len(self.name_of_pair) > _MOST:
            self.name_of_pair.popitem(last=False)

    def _note_name(self, source: int, target: int, name: str, mark: str) -> None:
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

    def _note_calls(self, window: Window) -> None:
        self._learn_lines(window)
        calls = np.empty(len(window.flows), CALL)
        count = choose_calls(
            window.flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, window.marks,
            window.hosts.traits, _IS_REGULAR, self.is_line, APP_CODE["http_proxy"], _PROXY_PORT,
            calls,
        )  # fmt: skip
        if not count:
            return
        calls = calls[:count].copy()
        if self.name_of_pair:
            groups = [self._group(p >> 32, p & 0xFFFF_FFFF) for p in calls["group"].tolist()]
            calls["group"] = np.array(groups, np.uint64)
        self.fresh.append(calls)
        self.fresh_ns.append(window.start_ns)

    def _learn_lines(self, window: Window) -> None:
        """What a registered line does is left out."""
        if self.lines != window.hospital.lines:  # somebody has changed the register
            self.lines, self.is_line = window.hospital.lines, np.zeros(0, bool)
        known = len(self.is_line)
        if known < len(window.hosts):
            fresh = window.hosts.addresses(np.arange(known, len(window.hosts), dtype=np.uint32))
            ends = tuple(networks_of(tuple(o for line in self.lines for o in line.outside)))
            self.is_line = np.concatenate([self.is_line, in_networks(fresh, ends)])


def sources_by_place(groups: NDArray[np.uint64]) -> dict[int, int]:
    """How many sources each place (name, or target without one) was called by: distinct groups."""
    places = groups & np.uint64(0xFFFF_FFFF)
    unique, counts = np.unique(places, return_counts=True)
    return dict(zip(unique.tolist(), counts.tolist(), strict=True))
