"""Which registered line a session belongs to, and whether it keeps to what was agreed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.hospital import Booking, Hospital, RegisteredLine
from detector.landing import is_endpoint, is_one_of
from detector.lines.maintenance_window import BOOKING, MaintenanceWindow, read_window
from detector.lines.observed import Verdict
from detector.lines.sessions import Session

MATCHED: Final = 0.7
CHANGED: Final = 0.4
#: A session this near a booking was at least announced.
NEAR_NS: Final = 2 * 3_600_000_000_000
#: Administration that should come through a VPN, not bare.
#: Broken ciphers, or (aggressive IKEv1) a hash of the shared secret for whoever asks.
_WEAK: Final = frozenset({"pptp", "ikev1_aggressive"})
_BARE: Final = frozenset({"rdp", "vnc", "telnet", "ftp"})
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
    is_bare = session.direction == "in" and session.app in _BARE
    return "weak" if session.app in _WEAK or is_bare else "matched"


def is_in_hours(time_ns: int, line: RegisteredLine, hospital: Hospital) -> bool:
    """True where the line may be used at that moment: by its hours, or by a booking."""
    if not line.windows:
        return True
    local = local_time(time_ns, hospital.timezone)
    if any(w.holds(local) for w in _windows(line.windows)):
        return True
    booking = nearest_booking(time_ns, line, hospital)
    return booking is not None and booking.distance_ns(time_ns) == 0


def nearest_booking(time_ns: int, line: RegisteredLine, hospital: Hospital) -> Booking | None:
    """The booking of this line that a moment is in or nearest to, within two hours of it."""
    booked = [b for b in hospital.bookings if b.line == line.id and not b.is_cancelled]
    nearest = min(booked, key=lambda b: (b.distance_ns(time_ns), b.id), default=None)
    return nearest if nearest and nearest.distance_ns(time_ns) <= NEAR_NS else None


def is_on_request(line: RegisteredLine) -> bool:
    """True for lines that the register lets be used only when booked."""
    return BOOKING in line.windows


def local_time(time_ns: int, timezone: str) -> datetime:
    """A moment on the hospital's clock."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as fault:
        raise ValueError(
            f"hospital.timezone: '{timezone}' is unknown; write e.g. Asia/Tokyo"
        ) from fault
    return datetime.fromtimestamp(time_ns // 1_000_000_000, zone)


def _match(session: Session, name: str, line: RegisteredLine) -> Match:
    """Weigh what the register states; what it leaves open neither helps nor hurts."""
    stated = {
        # Autonomous systems are kept for people to read; traffic does not show them.
        "outside": (
            any(not _is_system(o) for o in line.outside),
            _ENDPOINT,
            is_endpoint(session.peer, name, line),
        ),
        "device": (bool(line.device_ip or line.device_mac), _DEVICE, _is_device(session, line)),
        "protocol": (bool(line.protocols), _PROTOCOL, _speaks(session.app, line)),
        "landing": (bool(line.landing), _LANDING, _lands(session, line)),
    }
    total = sum(weight for is_stated, weight, _ in stated.values() if is_stated)
    fits = sum(weight for is_stated, weight, fit in stated.values() if is_stated and fit)
    differs = tuple(k for k, (is_stated, _, fit) in stated.items() if is_stated and not fit)
    return Match(line, fits / total if total else 0.0, differs)


def _speaks(app: str, line: RegisteredLine) -> bool:
    """A contract says IKEv1 for both of its modes."""
    plain = "ikev1" if app == "ikev1_aggressive" else app
    return app in line.protocols or plain in line.protocols


def _is_system(outside: str) -> bool:
    return outside[:2].upper() == "AS" and outside[2:].isdigit()


def _is_device(session: Session, line: RegisteredLine) -> bool:
    if line.device_ip and session.device == line.device_ip:
        return True
    return bool(line.device_mac) and session.device_mac == line.device_mac.lower()


def _lands(session: Session, line: RegisteredLine) -> bool:
    """A tunnel ends in its device, whose sessions land behind it; a tool lands where it runs."""
    return _is_device(session, line) or is_one_of(session.device, line.landing)


@lru_cache(maxsize=256)
def _windows(texts: tuple[str, ...]) -> tuple[MaintenanceWindow, ...]:
    read = (read_window(t) for t in texts if t != BOOKING)
    return tuple(w for w in read if w is not None)
