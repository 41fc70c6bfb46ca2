"""What people have confirmed about their hospital: segments, assets and outside lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from collector.flows import plain_address

Network = IPv4Network | IPv6Network
#: One address in its one spelling, or none: it ends up in devices' commands.
Address = Annotated[str, AfterValidator(lambda text: text and plain_address(text))]

#: Roles an asset can have; `detection.md` calls never-controllers those that control nobody.
Role = Literal[
    "unknown", "terminal", "server", "emr_server", "database", "domain_controller", "dns", "dhcp",
    "file_server", "pacs", "modality", "viewer", "hl7_engine", "analyser", "pharmacy", "printer",
    "camera", "monitor", "network_device", "gateway", "bastion", "scanner", "backup", "admin",
    "vendor_landing", "vendor_router", "wsus", "medical_device", "directory_sync",
]  # fmt: skip

NEVER_CONTROLLERS: frozenset[str] = frozenset(
    {"modality", "printer", "analyser", "camera", "monitor", "medical_device", "network_device"}
)

#: C4 life-critical · C3 core · C2 department · C1 terminal, printer · C0 outside line, unlisted.
CareClass = Literal["C0", "C1", "C2", "C3", "C4"]

#: Roles that fetch the directory with all its secrets from a domain controller. Traffic alone tells
#: only controllers; a directory synchroniser is one where a person entered it.
REPLICATORS: frozenset[str] = frozenset({"domain_controller", "directory_sync"})

LineType = Literal[
    "専用線", "IP-VPN", "拠点間VPN", "リモートアクセスVPN", "SSL-VPN", "SASE/SSE", "LTE/5G",
    "PSTN/ISDN", "プロキシ経由", "セキュアブラウザ", "VDI", "閉域クラウド",
]  # fmt: skip


class Segment(BaseModel):
    """One VLAN: its prefixes and the gateways through which it may leave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    vlan: int = Field(0, ge=0, le=4094, description="0 = untagged")
    prefixes: tuple[Network, ...] = Field(min_length=1)
    gateway_macs: tuple[str, ...] = Field((), description="MACs that may route out of it")
    dhcp_servers: tuple[str, ...] = Field((), description="addresses allowed to lease")
    routers_v6: tuple[str, ...] = Field((), description="MACs allowed to advertise a prefix")
    closed: bool = Field(False, description="no traffic to the Internet is expected")


class Asset(BaseModel):
    """One row of the asset ledger (機器台帳)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ip: Address
    mac: str = ""
    name: str = ""
    role: Role = "unknown"
    department: str = ""
    vendor: str = ""
    place: str = ""
    contact: str = ""
    care_class: CareClass | None = None
    switch: str = ""
    switch_port: str = ""
    private_nics: tuple[str, ...] = Field((), description="known second NICs, e.g. CT to detector")
    os: str = ""
    maintenance: str = Field("", description="who maintains it, and whether from afar")
    is_retired: bool = Field(False, description="taken out of use; nothing should speak from it")
    vlan: int = Field(0, ge=0, le=4094, description="0 = not stated")
    note: str = ""


class RegisteredLine(BaseModel):
    """One row of the outside-connection register (外部接続台帳)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    vendor: str
    line_type: LineType
    system: str = ""
    use_case: str = Field("", description="what it is for, e.g. オンライン資格確認")
    contract: str = Field("", description="number of the contract")
    contract_end: date | None = None
    device_ip: Address = Field("", description="inside address of the VPN router or client")
    device_mac: str = ""
    device_serial: str = ""
    device_port: str = Field("", description="switch and port the device hangs on")
    demarcation: str = Field("", description="責任分界: where the hospital's part ends")
    circuit: str = Field("", description="number of the circuit or of the SIM")
    outside: tuple[str, ...] = Field((), description="outside addresses, prefixes or names")
    protocols: tuple[str, ...] = Field((), description="application tokens, e.g. ikev2, esp")
    landing: tuple[str, ...] = Field((), description="inside hosts or pools where sessions land")
    allowed_targets: tuple[str, ...] = Field((), description="address or prefix, optional :port")
    windows: tuple[str, ...] = Field(
        (), description="e.g. 'Mon-Fri 09:00-18:00'; 'booking' = only when booked; empty = always"
    )
    initiator: Literal["", "vendor", "hospital"] = ""
    mfa: bool | None = None
    firmware_date: date | None = Field(None, description="last update of the device")
    approver: str = ""
    contact: str = ""
    last_review: date | None = None
    mds_sds: str = Field("", description="the maker's security disclosure (MDS/SDS): where kept")
    note: str = ""


class Booking(BaseModel):
    """A maintenance job that somebody approved: who may use which line, when, and what for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    line: str = Field(min_length=1, max_length=100, description="the register's id")
    start: AwareDatetime
    end: AwareDatetime
    person: str = Field(min_length=1, max_length=200, description="who will work, and for whom")
    purpose: str = Field(min_length=1, max_length=500)
    approver: str = Field(min_length=1, max_length=200)
    made_by: str = Field("", max_length=200)
    is_cancelled: bool = False

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if not self.start < self.end <= self.start + timedelta(days=31):
            raise ValueError("end: must come after start, and within 31 days of it")
        return self

    def distance_ns(self, time_ns: int) -> int:
        """0 within the booked time, else how far a moment is from it."""
        start_ns, end_ns = _ns(self.start), _ns(self.end)
        return max(start_ns - time_ns, time_ns - end_ns, 0)


_MOST_KNOWN: Final = 100_000


class Hospital(BaseModel):
    """What people confirmed; empty on day one, when detectors fall back to what is general."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "病院"
    timezone: str = "Asia/Tokyo"
    segments: tuple[Segment, ...] = ()
    assets: tuple[Asset, ...] = ()
    lines: tuple[RegisteredLine, ...] = ()
    bookings: tuple[Booking, ...] = ()

    @cached_property
    def inside(self) -> tuple[Network, ...]:
        """All planned prefixes; without a plan, the private ranges (RFC 1918, RFC 4193)."""
        planned = tuple(p for s in self.segments for p in s.prefixes)
        private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
        return planned or tuple(ip_network(p) for p in private)

    @cached_property
    def known_inside(self) -> dict[str, bool]:
        """What `is_inside` has answered lately: the same hosts are asked for again and again."""
        return {}

    @cached_property
    def asset_by_ip(self) -> dict[str, Asset]:
        return {a.ip: a for a in self.assets}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other parts; what was derived from the old parts is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in ("inside", "known_inside", "asset_by_ip", "ip_by_mac"):
            copied.__dict__.pop(derived, None)
        return copied

    @cached_property
    def ip_by_mac(self) -> dict[str, str]:
        """The ledger's address of each MAC that it names once."""
        named = Counter(a.mac.lower() for a in self.assets)
        return {a.mac.lower(): a.ip for a in self.assets if a.mac and named[a.mac.lower()] == 1}

    def is_inside(self, ip: str) -> bool:
        """True for the hospital's own unicast addresses."""
        known = self.known_inside.get(ip)
        if known is None:
            if len(self.known_inside) >= _MOST_KNOWN:
                self.known_inside.clear()
            known = self.known_inside[ip] = _is_in(ip, self.inside)
        return known

    def segment_of(self, ip: str, vlan: int = 0) -> Segment | None:
        """The segment whose prefixes hold the address; of several, the one on this VLAN."""
        holding = [s for s in self.segments if _is_in(ip, s.prefixes)]
        return next((s for s in holding if s.vlan == vlan), holding[0] if holding else None)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _is_in(ip: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address.version == n.version and address in n for n in networks)
