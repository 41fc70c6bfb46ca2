"""Edge memory (baseline B1): who has spoken to whom by which service, and on how many days.

Days count, flows do not: volume cannot buy familiarity. An edge is pending until it was active on
three days that span a week; edges of remote administration, to the outside or from a vendor's
landing host wait for a person. Surprise follows B3: familiarity smoothed by what peers do.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE, APPS
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FlowBatch
from collector.numbering import NO_NUMBER
from detector.distinct import distinct
from detector.edge_keeping import SavedEdges, worth_keeping
from detector.edge_kernels import (
    fill_indexes,
    find_all,
    find_pairs,
    know_flows,
    learn,
    rows_of,
    tally,
)

if TYPE_CHECKING:
    from detector.detection import Window
    from detector.hosts import HostTable

DAY_NS: Final = 86_400_000_000_000
HOUR_NS: Final = 3_600_000_000_000
_QUARTER_NS: Final = 900_000_000_000
PENDING, ACCEPTED, STALE, RETIRED = 1, 2, 3, 4  # 0 = never seen

#: Services by which one host controls another; their edges never accept themselves.
ADMIN_APPS: Final = (
    "rdp", "vnc", "ssh", "winrm", "telnet", "smb", "dcerpc", "mssql", "oracle", "postgres", "mysql",
    "intersystems", "radmin", "ftp",
)  # fmt: skip

EDGE_DTYPE: Final = np.dtype(
    [
        ("key", "u8"),  # source << 40 | destination << 16 | service
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        ("last_day", "i4"),  # local day number since 1970
        ("active_days", "u2"),  # distinct days
        ("days", "f4"),  # the same, halved every 30 days
        ("hours", "u1", (21,)),  # 168 bits: hour of the local week in which it was active
        ("waits", "?"),  # never accepts itself
        ("approved", "?"),  # a person accepted it
    ]
)
#: By service: is it one of them.
_IS_ADMIN: Final[NDArray[np.bool_]] = np.array([app in ADMIN_APPS for app in APPS])
_MAX_HOST: Final = 1 << 24


@dataclass(frozen=True)
class Edge:
    """One edge as a person reads it."""

    first_ns: int
    last_ns: int
    active_days: int
    state: int
    approved: bool


@dataclass(frozen=True)
class Past:
    """What stands in the memory of a pair, of its first host, and of that host's peers."""

    pair_days: int  # most active days of any service meant
    own: int  # hosts that the source turned to by the service
    peers: int  # other hosts of its role that used the service at all


class EdgeMemory:
    """Counts active days per (source, destination, service); bounded, saved by address.

    Lookups take arrays of host numbers (uint32) and services (uint16, `service_of`) of one
    length and answer with one value for each.
    """

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.forgotten = 0  # edges dropped because the memory was full
        self._capacity = capacity
        self._hosts: HostTable | None = None
        self._days: set[int] = set()
        self._users: dict[int, Counter[str]] = {}  # by service, as of this window
        self._now_ns = 0
        self.frozen_ns = 0  # since then nothing new accepts itself; 0 = it learns
        self._fill(np.zeros(0, EDGE_DTYPE))

    def __len__(self) -> int:
        return int(self._counts[0])

    @property
    def active_days(self) -> int:
        """Distinct local days on which anything was observed."""
        return len(self._days)

    @property
    def warmth(self) -> float:
        """0 cold … 1 after four weeks."""
        return min(1.0, self.active_days / 28)

    @property
    def _edges(self) -> NDArray[Any]:
        return self._rows[: int(self._counts[0])]

    def _fill(self, edges: NDArray[Any], room: int = 1024) -> None:
        """Hold these edges, with room for as many again."""
        size = 1 << max(10, (2 * (len(edges) + room)).bit_length())
        self._rows = np.zeros(size // 2, EDGE_DTYPE)
        self._rows[: len(edges)] = edges
        self._keys = np.zeros(size // 2, np.uint64)
        self._keys[: len(edges)] = edges["key"]
        self._pairs = np.zeros(size // 2, np.uint64)
        self._index, self._pair_index = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self._pending = np.zeros((2, size // 2), np.int64)
        pairs = fill_indexes(self._keys, len(edges), self._index, self._pairs, self._pair_index)
        self._counts = np.array([len(edges), pairs], np.int64)

    def observe(self, window: Window, watched: NDArray[np.uint32] | None = None) -> None:
        """Learn the answered conversations of a window; hosts in an incident do not teach."""
        self._hosts = window.hosts
        self._users.clear()
        self._now_ns = max(self._now_ns, window.end_ns)
        flows = window.flows
        if len(flows) == 0:
            return
        if len(self) + len(flows) > len(self._rows):
            self._forget(len(flows))
        offset_ns = _utc_offset_ns(window)
        marks = window.marks
        if watched is not None and len(watched):
            is_watched = np.isin(window.source, watched) | np.isin(window.destination, watched)
            marks = np.where(is_watched, 0, marks)
        days = learn(
            flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, marks,
            window.hosts.traits, _IS_ADMIN, APP_CODE["unknown"], offset_ns, self._keys,
            self._rows, self._rows["hours"], self._index, self._pairs, self._pair_index,
            self._counts, np.empty(len(flows), np.int64), self._pending,
        )  # fmt: skip
        if days[0] == days[1]:
            self._days.add(int(days[0]))
        else:
            self._days.update(np.unique((flows.last_ns + offset_ns) // DAY_NS).tolist())
        if len(self) > self._capacity:
            self._forget(0)

    def knows(
        self, source: NDArray[Any], destination: NDArray[Any], service: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Has this conversation been seen before."""
        return self._at(source, destination, service) >= 0

    def knows_flows(self, window: Window, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Has the conversation of each of these rows of a window been seen before."""
        if not len(at):
            return np.zeros(0, bool)
        known: NDArray[np.bool_] = know_flows(
            window.flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, at,
            APP_CODE["unknown"], self._keys, self._index,
        )  # fmt: skip
        return known

    def has_spoken(self, source: NDArray[Any], destination: NDArray[Any]) -> NDArray[np.bool_]:
        """Has this pair ever spoken in this direction, by whatever service."""
        found: NDArray[np.bool_] = find_pairs(self._pairs, self._pair_index, source, destination)
        return found

    def state(
        self, source: NDArray[Any], destination: NDArray[Any], service: NDArray[Any]
    ) -> NDArray[np.uint8]:
        """0 never seen, PENDING, ACCEPTED, STALE or RETIRED."""
        at = self._at(source, destination, service)
        state = np.zeros(len(at), np.uint8)
        state[at >= 0] = self._state_of(self._edges[at[at >= 0]])
        return state

    def surprise(self, source: int, destination: int, service: int) -> float:
        """How unexpected the edge is, in bits: -log2 of its smoothed probability (B3)."""
        if len(self) == 0 or self._hosts is None:
            return 0.0
        keys = self._keys[: len(self)]
        is_source = np.zeros(len(self._hosts), bool)
        users = np.empty((len(keys), 2), np.uint32)
        own, whole, sources, count = tally(
            keys, self._rows, source, destination, service, is_source, users
        )
        k, n, g = self._peers(source, destination, is_source, sources, users[:count])
        q = (k + 4 * g) / (n + 4)
        return float(-np.log2(max((own + 5 * q) / (whole + 5), 1e-9)))

    def past(self, source: int, destination: int | None, service: int | None) -> Past:
        """Numbers to compare with, as of before the present window; None = any service."""
        if len(self) == 0 or self._hosts is None:
            return Past(0, 0, 0)
        rows = rows_of(self._keys, len(self), source)
        keys, services = self._keys[rows], self._keys[rows] & np.uint64(0xFFFF)
        meant = np.ones(len(rows), bool) if service is None else services == np.uint64(service)
        targets = (keys[meant] >> np.uint64(16)) & np.uint64(_MAX_HOST - 1)
        days = 0
        if destination is not None:
            there = self._edges["active_days"][rows[meant]][targets == np.uint64(destination)]
            days = int(there.max(initial=0))
        peers = 0
        if service is not None:
            users = self._users_by_role(service, self._hosts)
            peers = users[self._hosts.get(source).role] - bool(len(targets))
        return Past(days, len(distinct(targets)), peers)

    def _users_by_role(self, service: int, hosts: HostTable) -> Counter[str]:
        """How many hosts of each role have used a service; counted once a window."""
        users = self._users.get(service)
        if users is None:
            keys = self._keys[: len(self)]
            used = keys[keys & np.uint64(0xFFFF) == np.uint64(service)] >> np.uint64(40)
            users = Counter(hosts.get(user).role for user in distinct(used).tolist())
            self._users[service] = users
        return users

    def find(self, source_ip: str, destination_ip: str, service: int) -> Edge | None:
        """One edge by address."""
        at = self._index_of(source_ip, destination_ip, service)
        if at < 0:
            return None
        row = self._edges[at]
        state = int(self._state_of(self._edges[at : at + 1])[0])
        return Edge(
            int(row["first_ns"]),
            int(row["last_ns"]),
            int(row["active_days"]),
            state,
            bool(row["approved"]),
        )

    def approve(self, source_ip: str, destination_ip: str, service: int) -> None:
        """A person says that this edge is right; KeyError if it was never seen."""
        at = self._index_of(source_ip, destination_ip, service)
        if at < 0:
            raise KeyError(f"no edge {source_ip} → {destination_ip} by service {service}")
        self._edges["approved"][at] = True

    @property
    def now_ns(self) -> int:
        """Event time that the memory has reached."""
        return self._now_ns

    def table(self) -> NDArray[Any]:
        """All edges (EDGE_DTYPE), in no order; a view that the next window may move."""
        return self._edges

    def states(self) -> NDArray[np.uint8]:
        """The state of each edge of `table`."""
        return self._state_of(self._edges)

    def approve_all(self, chosen: NDArray[np.bool_]) -> int:
        """A person says that these rows of `table` are right; how many that changed."""
        changed = chosen & ~self._edges["approved"]
        self._edges["approved"][changed] = True
        return int(changed.sum())

    def relearn(self, host_ip: str) -> int:
        """Forget every edge of a host, so that it is learnt anew; how many there were."""
        if self._hosts is None:
            return 0
        number = self._hosts.number_of(host_ip)
        edges = self._edges
        target = (edges["key"] >> np.uint64(16)) & np.uint64(_MAX_HOST - 1)
        gone = (edges["key"] >> np.uint64(40) == number) | (target == number)
        self._fill(edges[~gone].copy())
        return int(gone.sum())

    def hosts(self) -> NDArray[np.uint32]:
        """Numbers of all hosts that stand in an edge."""
        keys = self._edges["key"]
        ends = np.concatenate([keys >> np.uint64(40), keys >> np.uint64(16) & (_MAX_HOST - 1)])
        return np.unique(ends).astype(np.uint32)

    def save(self, path: Path) -> None:
        """Write the memory, by address, replacing the file only once it is whole."""
        edges = self._edges[np.argsort(self._edges["key"])]
        source = edges["key"] >> np.uint64(40)
        target = (edges["key"] >> np.uint64(16)) & np.uint64(_MAX_HOST - 1)
        addresses: NDArray[np.uint64] = np.zeros((2, 0, 2), np.uint64)
        if self._hosts is not None and len(source):
            addresses = self._hosts.addresses(
                np.concatenate([source, target]).astype(np.uint32)
            ).reshape(2, -1, 2)
        saved = SavedEdges(self._days, self._now_ns, self.frozen_ns, edges, addresses)
        saved.write(path)

    @classmethod
    def load(cls, path: Path, hosts: HostTable, capacity: int = 1_000_000) -> EdgeMemory:
        """Read a saved memory into this run's host numbers; ValueError if the file is not one."""
        saved = SavedEdges.read(path)
        memory = cls(capacity)
        memory._hosts, memory._days, memory._now_ns = hosts, set(saved.days), saved.now_ns
        memory.frozen_ns = saved.frozen_ns
        edges = saved.edges
        if len(edges):
            service = (edges["key"] & np.uint64(0xFFFF)).astype(np.uint16)
            source, target = (hosts.number(of) for of in saved.addresses)
            edges["key"] = _pack(source, target, service)
            fits = (source != NO_NUMBER) & (target != NO_NUMBER)
            memory.forgotten = int((~fits).sum())
            memory._fill(edges[fits][np.argsort(edges["key"][fits])])
        return memory

    def _at(
        self, source: NDArray[Any], destination: NDArray[Any], service: NDArray[Any]
    ) -> NDArray[np.int64]:
        at: NDArray[np.int64] = find_all(self._keys, self._index, source, destination, service)
        return at

    def _index_of(self, source_ip: str, destination_ip: str, service: int) -> int:
        if self._hosts is None:
            return -1
        source, target = self._hosts.number_of(source_ip), self._hosts.number_of(destination_ip)
        return int(self._at(np.array([source]), np.array([target]), np.array([service]))[0])

    def _state_of(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        known = rows["approved"] | (
            ~rows["waits"]
            & (rows["active_days"] >= 3)
            & (rows["last_ns"] - rows["first_ns"] >= 7 * DAY_NS)
        )
        if self.frozen_ns:
            known &= rows["approved"] | (rows["first_ns"] < self.frozen_ns)
        quiet = self._now_ns - rows["last_ns"]
        state = np.where(known, ACCEPTED, PENDING).astype(np.uint8)
        state[quiet > 60 * DAY_NS] = STALE
        state[quiet > 400 * DAY_NS] = RETIRED
        return state

    def _peers(
        self,
        source: int,
        destination: int,
        is_source: NDArray[np.bool_],
        sources: int,
        users: NDArray[np.uint32],
    ) -> tuple[int, int, float]:
        """k of n peers that use the service towards the target's role, and the hospital's share."""
        hosts = self._hosts
        assert hosts is not None
        target_role = hosts.get(destination).role
        roles = {t: hosts.get(t).role for t in np.unique(users[:, 1]).tolist()}
        alike = [s for s, t in users.tolist() if roles[t] == target_role]
        using = set(alike)
        role = hosts.get(source).role
        every = np.flatnonzero(is_source).tolist()
        peers = {s for s in every if s != source and hosts.get(s).role == role}
        if len(peers) < 5:
            peers = {s for s in every if s != source}
        return len(using & peers), len(peers), len(using) / max(sources, 1)

    def _forget(self, room: int) -> None:
        """Drop what is too old or too much, and make room for further edges."""
        kept, gone = worth_keeping(self._edges, self._now_ns, self._capacity)
        self.forgotten += gone
        self._fill(kept, max(room, 1024))


def service_of(flows: FlowBatch) -> NDArray[np.uint16]:
    """Service class of each flow: its application, or its protocol and port where unknown."""
    port = np.minimum(flows.destination_port, 0x3FFF).astype(np.uint16)
    service = np.where(
        flows.protocol == 6, 0x4000 | port, 0xC000 | flows.protocol.astype(np.uint16)
    )
    service = np.where(flows.protocol == 17, 0x8000 | port, service).astype(np.uint16)
    app: NDArray[Any] = flows.app
    named = (app != APP_CODE["unknown"]) & (app < 0x4000)
    chosen: NDArray[np.uint16] = np.where(named, flows.app, service).astype(np.uint16)
    return chosen


def _pack(source: NDArray[Any], destination: NDArray[Any], service: NDArray[Any]) -> NDArray[Any]:
    wide = np.uint64
    packed: NDArray[Any] = (
        (source.astype(wide) << wide(40)) | (destination.astype(wide) << wide(16))
    ) | service.astype(wide)
    return packed


def _utc_offset_ns(window: Window) -> int:
    # Offsets change at full quarters of an hour.
    return _offset_ns(window.start_ns // _QUARTER_NS, window.hospital.timezone)


@lru_cache(maxsize=64)
def _offset_ns(quarter: int, timezone: str) -> int:
    at = datetime.fromtimestamp(quarter * _QUARTER_NS // 1_000_000_000, UTC)
    offset = at.astimezone(ZoneInfo(timezone)).utcoffset()
    return int(offset.total_seconds()) * 1_000_000_000 if offset else 0
