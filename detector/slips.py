"""Remote-maintenance slips: one for each time a vendor worked over a registered line.

Guideline 6.0 of the health ministry (system operation, §10④) wants the access log of each remote
job collected and confirmed by the hospital soon after it. A slip holds what traffic shows of the
job; a person confirms it in the console.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APPS
from collector.sightings import Kerberos, Ntlm, RdpRequest
from detector.addresses import in_networks, is_one_host
from detector.detection import Window
from detector.distinct import distinct
from detector.hospital import RegisteredLine
from detector.landing import allowed_rows, is_endpoint, line_networks, networks_of, vendor_networks
from detector.lines.register_match import is_in_hours, nearest_booking
from detector.window_kernels import VENDOR

S: Final = 1_000_000_000
IDLE_NS: Final = 1800 * S  # a job ends when half an hour has passed without a sign of it
PENDING_NS: Final = 300 * S
MIN_USE_BYTES: Final = 20_000  # within five minutes; a tunnel that only stands stays below
MAX_TARGETS: Final = 200
MAX_USERS: Final = 20


@dataclass(frozen=True)
class SlipTarget:
    """A machine that was reached from where the vendor landed."""

    ip: str
    port: int
    app: str
    connections: int
    bytes: int  # both ways
    is_allowed: bool


@dataclass(frozen=True)
class MaintenanceSlip:
    """What one job over one registered line looked like."""

    id: str
    line: str
    vendor: str
    system: str
    first_ns: int
    last_ns: int
    is_open: bool  # half an hour without a sign has not passed
    peer: str  # the outside end, where it was seen
    device: str  # the inside end of the line
    landed_as: tuple[str, ...]
    targets: tuple[SlipTarget, ...]
    bytes_out: int  # from the hospital, over the line
    bytes_in: int
    users: tuple[str, ...]
    booking: str  # its id; empty if none was near
    is_in_hours: bool
    is_in_scope: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ConfirmedSlip:
    """A slip and who at the hospital confirmed it; nobody where `confirmed_by` is empty."""

    slip: MaintenanceSlip
    confirmed_by: str
    confirmed_ns: int
    confirmed_note: str

    def to_json(self) -> dict[str, Any]:
        rest = {k: v for k, v in self.__dict__.items() if k != "slip"}
        return {**self.slip.to_json(), **rest}


def slip_from_json(told: dict[str, Any]) -> MaintenanceSlip:
    """Read what `to_json` wrote."""
    targets = tuple(SlipTarget(**t) for t in told["targets"])
    lists = {k: tuple(told[k]) for k in ("landed_as", "users")}
    return MaintenanceSlip(**{**told, "targets": targets, **lists})


@dataclass
class _Job:
    """A job that has not ended."""

    line: RegisteredLine
    first_ns: int
    last_ns: int
    peer: str = ""
    landed_as: dict[str, None] = field(default_factory=dict)
    targets: dict[tuple[str, int, str, bool], list[int]] = field(default_factory=dict)
    bytes_out: int = 0
    bytes_in: int = 0
    users: dict[str, None] = field(default_factory=dict)
    booking: str = ""
    is_in_hours: bool = True

    def slip(self, is_open: bool) -> MaintenanceSlip:
        line = self.line
        told = f"{line.id}\n{self.first_ns}"
        return MaintenanceSlip(
            id=sha256(told.encode()).hexdigest()[:12],
            line=line.id,
            vendor=line.vendor,
            system=line.system,
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            is_open=is_open,
            peer=self.peer,
            device=line.device_ip,
            landed_as=tuple(self.landed_as),
            targets=tuple(
                SlipTarget(ip, port, app, n, size, ok)
                for (ip, port, app, ok), (n, size) in self.targets.items()
            ),
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            users=tuple(self.users),
            booking=self.booking,
            is_in_hours=self.is_in_hours,
            is_in_scope=all(ok for *_, ok in self.targets),
        )


@dataclass
class _Crossing:
    """Traffic over a line that may yet become a job."""

    first_ns: int = 0
    last_ns: int = 0
    out: int = 0
    back: int = 0
    peer: str = ""


class SlipLog:
    """Writes slips window by window; one open slip a line at most."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._crossings: dict[str, _Crossing] = {}
        self._changed: dict[str, MaintenanceSlip] = {}

    def observe(self, window: Window) -> None:
        """Take in one window."""
        lines = window.hospital.lines
        if not lines:
            return
        for line_id, job in list(self._jobs.items()):
            if window.start_ns - job.last_ns > IDLE_NS:
                self._changed[line_id + str(job.first_ns)] = job.slip(is_open=False)
                del self._jobs[line_id]
        if not window.every_mark & VENDOR:
            return  # no flow has an end where a line lands
        numbers = distinct(np.concatenate([window.source, window.destination]))
        addresses = window.hosts.addresses(numbers)
        source = np.searchsorted(numbers, window.source)
        target = np.searchsorted(numbers, window.destination)
        inside = window.hosts.inside(numbers) & is_one_host(addresses)
        for line in lines:
            if line.initiator == "hospital":
                continue  # what the hospital fetches itself is nobody's maintenance
            here = in_networks(addresses, line_networks(line))
            if here.any():
                there = self._outside_ends(window, line, numbers, addresses, inside)
                self._cross(window, line, here, there, source, target)
                self._land(window, line, addresses, here, inside, source, target)

    def take_changed(self) -> list[MaintenanceSlip]:
        """Slips that are new or changed since the last call."""
        taken, self._changed = list(self._changed.values()), {}
        return taken

    def _outside_ends(
        self,
        window: Window,
        line: RegisteredLine,
        numbers: NDArray[np.uint32],
        addresses: NDArray[np.uint64],
        inside: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Which of these hosts are the line's outside ends, by address or by name."""
        networks = tuple(networks_of(line.outside))
        ends = in_networks(addresses, networks)
        if len(networks) < len(line.outside):
            for at in np.flatnonzero(~inside & ~ends).tolist():
                ip = window.hosts.ip(int(numbers[at]))
                name = window.names.of(ip)
                ends[at] = bool(name) and is_endpoint("", name, line)
        elif not line.outside:
            ends = ~inside & is_one_host(addresses)
        return ends

    def _cross(
        self,
        window: Window,
        line: RegisteredLine,
        here: NDArray[np.bool_],
        there: NDArray[np.bool_],
        source: NDArray[np.int64],
        target: NDArray[np.int64],
    ) -> None:
        """Traffic between the line's two ends."""
        flows = window.flows
        outward, inward = here[source] & there[target], there[source] & here[target]
        rows = np.flatnonzero((outward | inward) & (flows.reply_packets > 0))
        if not line.outside and line.protocols:
            named = [APPS.index(p) for p in line.protocols if p in APPS]
            rows = rows[np.isin(flows.app[rows], named)]
        if not len(rows):
            return
        first_ns, last_ns = int(flows.first_ns[rows].min()), int(flows.last_ns[rows].max())
        sent = np.where(outward[rows], flows.bytes[rows], flows.reply_bytes[rows])
        back = np.where(outward[rows], flows.reply_bytes[rows], flows.bytes[rows])
        end = window.destination if outward[rows[0]] else window.source
        known = self._crossings.get(line.id)
        # A long connection is reported in parts, each with the bytes of its own minute.
        starts_anew = known is None or window.start_ns - known.first_ns > PENDING_NS
        crossing = _Crossing(first_ns=max(first_ns, window.start_ns - 60 * S))
        if known is not None and not starts_anew:
            crossing = known
        crossing.last_ns = max(crossing.last_ns, last_ns)
        crossing.out += int(sent.sum())
        crossing.back += int(back.sum())
        crossing.peer = window.hosts.ip(int(end[rows[0]]))
        self._crossings[line.id] = crossing
        job = self._jobs.get(line.id)
        is_use = crossing.out + crossing.back >= MIN_USE_BYTES and not _pools(line)
        if job is None and is_use:
            job = self._open(window, line, crossing.first_ns, crossing.last_ns)
            job.bytes_out, job.bytes_in = crossing.out, crossing.back
        elif job is not None:
            job.bytes_out += int(sent.sum())
            job.bytes_in += int(back.sum())
        if job is not None:
            job.peer = crossing.peer
            if is_use:
                self._use(window, job, last_ns)

    def _land(
        self,
        window: Window,
        line: RegisteredLine,
        addresses: NDArray[np.uint64],
        here: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        source: NDArray[np.int64],
        target: NDArray[np.int64],
    ) -> None:
        """What was reached from where the line lands."""
        flows = window.flows
        pool = in_networks(addresses, vendor_networks(line))
        vendor = pool[source]
        crossing = self._crossings.get(line.id)
        is_open = crossing is not None and window.start_ns - crossing.last_ns <= IDLE_NS
        is_open &= line.id in self._jobs
        # From the vendor's own addresses, the server that the line lands on is a target too.
        came = here[source] & inside[target] & (~here[target] | (vendor & ~pool[target]))
        rows = np.flatnonzero(came & (vendor | is_open))
        rows = rows[flows.first_ns[rows] >= self._since(line, window)]
        if not len(rows):
            return
        job = self._jobs.get(line.id)
        if job is None:
            job = self._open(window, line, int(flows.first_ns[rows].min()), 0)
        if crossing is not None and not job.peer:
            job.peer = crossing.peer
        allowed = allowed_rows(window, line)
        for row in rows.tolist():
            job.landed_as[window.hosts.ip(int(window.source[row]))] = None
            ip = window.hosts.ip(int(window.destination[row]))
            port, app = int(flows.destination_port[row]), APPS[int(flows.app[row])]
            key = (ip, port, app, bool(allowed[row]))
            if key in job.targets or len(job.targets) < MAX_TARGETS:
                tally = job.targets.setdefault(key, [0, 0])
                tally[0] += int(flows.part[row] == 0)
                tally[1] += int(flows.bytes[row] + flows.reply_bytes[row])
        self._note_users(window, job)
        self._use(window, job, int(flows.last_ns[rows].max()))

    def _since(self, line: RegisteredLine, window: Window) -> int:
        """A single host that the line lands on has a life of its own before the job."""
        job = self._jobs.get(line.id)
        return min(job.first_ns, window.start_ns) - 60 * S if job else 0

    def _open(self, window: Window, line: RegisteredLine, first_ns: int, last_ns: int) -> _Job:
        booking = nearest_booking(first_ns, line, window.hospital)
        job = _Job(line, first_ns, max(first_ns, last_ns), booking=booking.id if booking else "")
        job.is_in_hours = is_in_hours(first_ns, line, window.hospital)
        self._jobs[line.id] = job
        return job

    def _use(self, window: Window, job: _Job, last_ns: int) -> None:
        job.last_ns = max(job.last_ns, last_ns)
        job.is_in_hours &= is_in_hours(job.last_ns, job.line, window.hospital)
        self._changed[job.line.id + str(job.first_ns)] = job.slip(is_open=True)

    def _note_users(self, window: Window, job: _Job) -> None:
        """Accounts that were used from where the vendor landed."""
        said = [(n.ip, n.user) for n in window.of(Ntlm) if n.message == "authenticate"]
        said += [(k.ip, k.client) for k in window.of(Kerberos) if k.message == "as_req"]
        said += [(r.ip, r.cookie) for r in window.of(RdpRequest)]
        for ip, user in said:
            if user and ip in job.landed_as and len(job.users) < MAX_USERS:
                job.users[user] = None


def _pools(line: RegisteredLine) -> bool:
    """True where the line's sessions can be told by the addresses they come in with."""
    return any(n.num_addresses > 1 for n in networks_of(line.landing))
