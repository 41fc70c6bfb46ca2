"""Which registered line a session belongs to, and whether it keeps to what was agreed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.hospital import Hospital, RegisteredLine
from detector.landing import networks_of
from detector.lines.maintenance_window import MaintenanceWindow, read_window
from detector.lines.observed import Verdict
from detector.lines.sessions import Session

MATCHED: Final = 0.7
CHANGED: Final = 0.4
_ENDPOINT, _DEVICE, _PROTOCOL, _LANDING = 0.4, 0.3, 0.15, 0.15


@dataclass(frozen=True)
class Match:
    """The registered line that fits best, how well (0-1), and what does not fit."""

    line: RegisteredLine
    score: float
    differs: tuple[str, ...]


def best_match(session: Session, name: str, lines: Iterable[RegisteredLine]) -> Match | None:
    """The registered line that a session fits best; None below "changed"."""
    matches = [_match(session, name, line) for line in lines]
    best = max(matches, key=lambda m: (m.score, m.line.id), default=None)
    return best if best is not None and best.score >= CHANGED else None


def verdict_of(session: Session, match: Match | None, hospital: Hospital) -> Verdict:
    """What the register says of a session; the hours are judged by `is_in_hours`."""
    if match is None:
        return "unregistered"
    if match.score < MATCHED:
        return "changed"
    local = local_time(session.last_ns, hospital.timezone)
    if match.line.contract_end is not None and local.date() > match.line.contract_end:
        return "expired"
    return "weak" if session.app == "pptp" else "matched"


def is_in_hours(time_ns: int, line: RegisteredLine, hospital: Hospital) -> bool:
    """True where the line may be used at that moment."""
    if not line.windows:
        return True
    local = local_time(time_ns, hospital.timezone)
    return any(w.holds(local) for w in _windows(line.windows))


def local_time(time_ns: int, timezone: str) -> datetime:
    """A moment on the hospital's clock."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as fault:
        raise ValueError(
            f"hospital.timezone: '{timezone}' is unknown; write e.g. Asia/Tokyo"
        ) from fault
    return datetime.fromtimestamp(time_ns // 1_000_000_000, zone)


def is_endpoint(ip: str, name: str, line: RegisteredLine) -> bool:
    """True where an address or name is one of the line's outside ends."""
    patterns = [o.lower() for o in line.outside]
    if name and any(fnmatchcase(name, p) or name == p for p in patterns):
        return True
    return bool(ip) and _is_in(ip, line.outside)


def _match(session: Session, name: str, line: RegisteredLine) -> Match:
    """Weigh what the register states; what it leaves open neither helps nor hurts."""
    stated = {
        "outside": (bool(line.outside), _ENDPOINT, is_endpoint(session.peer, name, line)),
        "device": (bool(line.device_ip or line.device_mac), _DEVICE, _is_device(session, line)),
        "protocol": (bool(line.protocols), _PROTOCOL, session.app in line.protocols),
        "landing": (bool(line.landing), _LANDING, _lands(session, line)),
    }
    total = sum(weight for is_stated, weight, _ in stated.values() if is_stated)
    fits = sum(weight for is_stated, weight, fit in stated.values() if is_stated and fit)
    differs = tuple(k for k, (is_stated, _, fit) in stated.items() if is_stated and not fit)
    return Match(line, fits / total if total else 0.0, differs)


def _is_device(session: Session, line: RegisteredLine) -> bool:
    if line.device_ip and session.device == line.device_ip:
        return True
    return bool(line.device_mac) and session.device_mac == line.device_mac.lower()


def _lands(session: Session, line: RegisteredLine) -> bool:
    """A tunnel ends in its device, whose sessions land behind it; a tool lands where it runs."""
    return _is_device(session, line) or _is_in(session.device, line.landing)


@lru_cache(maxsize=256)
def _windows(texts: tuple[str, ...]) -> tuple[MaintenanceWindow, ...]:
    read = (read_window(t) for t in texts)
    return tuple(w for w in read if w is not None)


@lru_cache(maxsize=65536)
def _is_in(ip: str, texts: tuple[str, ...]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address.version == n.version and address in n for n in networks_of(texts))
