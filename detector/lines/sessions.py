"""Flows of tunnels, VPNs and remote tools, gathered to sessions between two hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from collector.apps import APPS
from collector.flows import FlowBatch, address_text, mac_text
from detector.addresses import Network, in_networks
from detector.detection import FlowKey, Window
from detector.distinct import groups_of
from detector.hospital import RegisteredLine
from detector.landing import is_endpoint, networks_of
from detector.lines.addresses import INSIDE, LOOPBACK, SPECIAL
from detector.lines.tools import PLAIN, TOOLS, Tool
from detector.sift import sift
from detector.sift_kernels import CROSSES, TOOL

#: out = begun inside, in = begun outside, within = both inside, announce = to a multicast group,
#: beyond = both outside (a mirror port on the outer side of the border).
Direction = Literal["out", "in", "within", "announce", "beyond"]

MAX_FLOW_KEYS = 5
MAX_PAIRS = 20_000


@dataclass(frozen=True)
class Session:
    """All flows of one application between two hosts in one window."""

    app: str
    direction: Direction
    device: str  # the inside end; the originator if neither or both are
    device_mac: str
    peer: str
    peer_port: int
    vlan: int
    count: int
    bytes_out: int  # from the device
    bytes_in: int
    longest_s: float
    first_ns: int
    last_ns: int
    confidence: float
    is_answered: bool
    has_talk: bool  # both sides sent data, not only handshakes or resets
    flows: tuple[FlowKey, ...]

    @property
    def tool(self) -> Tool:
        return TOOLS.get(self.app, PLAIN)

    @property
    def line(self) -> str:
        """The application, or what it makes together with its companions."""
        return self.tool.line or self.app


def tool_sessions(window: Window) -> tuple[Session, ...]:
    """Gather the window's tool flows; sessions of administrators only where they cross over."""
    return tuple(_grouped(window, window.once(sift).rows(TOOL)))


def plain_sessions(window: Window, lines: tuple[RegisteredLine, ...]) -> Iterator[Session]:
    """Answered traffic of no tool that crosses the border at an end that a line registers."""
    rows = window.once(sift).rows(CROSSES)
    if not len(rows):
        return
    is_ours = window.hosts.kinds[window.source[rows]] & INSIDE != 0
    outer = np.where(is_ours, window.destination[rows], window.source[rows])
    is_of_line, has_names = _registered(lines)
    if not has_names:
        at_end = in_networks(window.hosts.addresses(outer), is_of_line)
        yield from _grouped(window, rows[at_end])
        return
    ends, which = np.unique(outer, return_inverse=True)
    is_end = in_networks(window.hosts.addresses(ends), is_of_line)
    for at in np.flatnonzero(~is_end).tolist():
        name = window.names.of(window.hosts.ip(int(ends[at])))
        is_end[at] = bool(name) and any(is_endpoint("", name, line) for line in lines)
    yield from _grouped(window, rows[is_end[which.ravel()]])


@lru_cache(maxsize=4)
def _registered(lines: tuple[RegisteredLine, ...]) -> tuple[tuple[Network, ...], bool]:
    """The outside ends of a register that are addresses, and whether it has others, by name."""
    networks = tuple(n for line in lines for n in networks_of(line.outside))
    return networks, any(not networks_of((o,)) for line in lines for o in line.outside)


def _grouped(window: Window, rows: NDArray[np.int64]) -> Iterator[Session]:
    """One session for each pair of hosts and application among these rows."""
    if not len(rows):
        return
    groups = groups_of(window.source[rows], window.destination[rows], window.flows.app[rows])
    sums = _Sums.of(window.flows.take(rows[groups.order]), groups.starts)
    first = rows[groups.first]
    kinds = window.hosts.kinds
    of_ends = (kinds[numbers[first]].tolist() for numbers in (window.source, window.destination))
    ends = zip(*of_ends, strict=True)
    for at, (own, other) in enumerate(ends):
        yield sums.session(at, _direction(own, other))


def _has_talk(flows: FlowBatch) -> NDArray[np.bool_]:
    """For each flow: both sides sent at least 100 bytes beyond bare IP and TCP headers.

    A scan that is reset, or that only draws a banner, stays below.
    """
    bare = np.where(flows.family == 6, 60, 40).astype(np.int64)
    sent = flows.bytes.astype(np.int64) - bare * flows.packets.astype(np.int64)
    back = flows.reply_bytes.astype(np.int64) - bare * flows.reply_packets.astype(np.int64)
    talks: NDArray[np.bool_] = (sent >= 100) & (back >= 100)
    return talks


def seen_from_first(session: Session, first_ends: dict[tuple[str, str, str], None]) -> Session:
    """Where both ends are alike (two VPN routers), see the line from the end that spoke first."""
    if session.direction not in ("within", "beyond") or session.tool.tool_class != "vpn":
        return session
    if (session.line, session.peer, session.device) in first_ends:
        return replace(
            session,
            device=session.peer,
            device_mac="",
            peer=session.device,
            bytes_out=session.bytes_in,
            bytes_in=session.bytes_out,
        )
    first_ends[session.line, session.device, session.peer] = None
    if len(first_ends) > MAX_PAIRS:
        first_ends.pop(next(iter(first_ends)))
    return session


def flow_keys(flows: FlowBatch, limit: int = MAX_FLOW_KEYS) -> tuple[FlowKey, ...]:
    """Name the first flows as evidence."""
    return tuple(
        FlowKey(
            first_ns=int(row["first_ns"]),
            source=address_text(*row["source"].tolist()),
            source_port=int(row["source_port"]),
            destination=address_text(*row["destination"].tolist()),
            destination_port=int(row["destination_port"]),
            protocol=int(row["protocol"]),
        )
        for row in flows.rows[:limit]
    )


def _direction(source: int, destination: int) -> Direction:
    ours = INSIDE | LOOPBACK
    if destination & SPECIAL:
        return "announce"
    if source & ours:
        return "within" if destination & ours else "out"
    return "in" if destination & ours else "beyond"


@dataclass(frozen=True)
class _Sums:
    """Groups of flows, summed up a column at a time: a window has more groups than long ones."""

    flows: FlowBatch  # group after group
    starts: list[int]
    ends: list[int]
    columns: dict[str, list[Any]]  # by name: one value a group

    @staticmethod
    def of(flows: FlowBatch, starts: NDArray[np.int64]) -> _Sums:
        """Sum up flows whose groups begin at `starts`."""
        columns = {
            # A long connection is reported in parts; only the first one counts.
            "count": np.maximum(1, np.add.reduceat((flows.part == 0).astype(np.int64), starts)),
            "sent": np.add.reduceat(flows.bytes, starts),
            "received": np.add.reduceat(flows.reply_bytes, starts),
            "longest_ns": np.maximum.reduceat(flows.last_ns - flows.first_ns, starts),
            "first_ns": np.minimum.reduceat(flows.first_ns, starts),
            "last_ns": np.maximum.reduceat(flows.last_ns, starts),
            "confidence": np.maximum.reduceat(flows.app_confidence, starts),
            "is_answered": np.logical_or.reduceat(flows.reply_packets > 0, starts),
            "has_talk": np.logical_or.reduceat(_has_talk(flows), starts),
        }
        begun = starts.tolist()
        told = {name: column.tolist() for name, column in columns.items()}
        return _Sums(flows, begun, [*begun[1:], len(flows)], told)

    def session(self, at: int, direction: Direction) -> Session:
        """The session of one group, seen from the device inside."""
        start, columns = self.starts[at], self.columns
        first = self.flows.rows[start]
        near, far = ("destination", "source") if direction == "in" else ("source", "destination")
        out, back = ("received", "sent") if direction == "in" else ("sent", "received")
        return Session(
            app=APPS[int(first["app"])],
            direction=direction,
            device=address_text(*first[near].tolist()),
            device_mac=mac_text(int(first[f"{near}_mac"])),
            peer=address_text(*first[far].tolist()),
            peer_port=int(first["destination_port"]),
            vlan=int(first["vlan"]),
            count=columns["count"][at],
            bytes_out=columns[out][at],
            bytes_in=columns[back][at],
            longest_s=columns["longest_ns"][at] / 1e9,
            first_ns=columns["first_ns"][at],
            last_ns=columns["last_ns"][at],
            confidence=columns["confidence"][at] / 100,
            is_answered=columns["is_answered"][at],
            has_talk=columns["has_talk"][at],
            flows=flow_keys(self.flows.take(slice(start, self.ends[at]))),
        )
