"""Who is behind an address: names, roles, departments and contacts, from ledger and traffic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from api.asset_rows import AssetRow
from api.people import Person
from api.services import Services
from detector.care import care_class
from detector.hospital import CareClass, Hospital, RegisteredLine

_PAGE = 500
_INSIDE = Hospital().inside  # without a plan: the private ranges


@dataclass(frozen=True)
class Stay:
    """An address that a machine had, from when until when it was seen there."""

    ip: str
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class Known:
    """What is known of one asset, the ledger's word first."""

    ip: str
    name: str
    mac: str
    role: str
    role_reason: str
    department: str
    place: str
    vendor: str
    contact: str
    care_class: CareClass
    first_ns: int
    last_ns: int
    verdict: str
    address: str  # as people read it: the last one of a machine that is away
    is_away: bool
    stays: tuple[Stay, ...]  # addresses that the machine had, the latest first


class Directory:
    """Looks things up; the ledger and the register are read on first use."""

    def __init__(self, services: Services, person: Person | None) -> None:
        self._services = services
        self._person = person

    @cached_property
    def _by_ip(self) -> dict[str, Known]:
        known: dict[str, Known] = {}
        cursor = ""
        while True:
            page = self._services.assets.find(self._person, cursor=cursor, limit=_PAGE)
            known.update({row.ip: known_asset(row) for row in page.items})
            cursor = page.next_cursor
            if not cursor:
                return known

    @cached_property
    def _register(self) -> dict[str, RegisteredLine]:
        return {line.id: line for line in self._services.lines.register(self._person)}

    def __len__(self) -> int:
        return len(self._by_ip)

    def find(self, ip: str) -> Known | None:
        return self._by_ip.get(ip) if ip else None

    def line(self, line_id: str) -> RegisteredLine | None:
        return self._register.get(line_id)

    def label(self, address: str) -> str:
        """Name and address in one line."""
        known = self.find(address)
        return f"{known.name} ({address})" if known and known.name else address


def is_inside(ip: str) -> bool:
    """True for private addresses; those of the plan stand in the directory anyway."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address.version == n.version and address in n for n in _INSIDE)


def known_asset(row: AssetRow) -> Known:
    """Join what the ledger lists and what traffic told."""
    seen, listed = row.seen or {}, row.listed
    seen_role = str(seen.get("role", "unknown"))
    role = listed.role if listed and listed.role != "unknown" else seen_role
    return Known(
        ip=row.ip,
        name=row.name,
        mac=str(seen.get("mac", "")) or (listed.mac if listed else ""),
        role=role,
        role_reason=str(seen.get("role_reason", "")),
        department=(listed.department if listed else "") or str(seen.get("department", "")),
        place=listed.place if listed else "",
        vendor=listed.vendor if listed else "",
        contact=listed.contact if listed else "",
        care_class=care_class(role, listed),
        first_ns=int(seen.get("first_ns", 0)),
        last_ns=int(seen.get("last_ns", 0)),
        verdict=row.verdict,
        address=str(seen.get("last_ip", "")) or row.ip,
        is_away=bool(seen.get("is_away")),
        stays=tuple(Stay(**stay) for stay in reversed(seen.get("addresses") or ())),
    )
