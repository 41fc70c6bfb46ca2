"""One host as traffic tells it: its addresses, MAC, names and role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.hospital import NEVER_CONTROLLERS

if TYPE_CHECKING:
    from detector.hosts import HostTable


@dataclass
class Host:
    """What has been seen of one host; what every flow changes stands in the table's columns.

    A host is a machine where its MAC is known (`detector.identity`): it then keeps its number
    when its address changes. Where only routed traffic is seen, the address is the host.
    """

    ip: str  # of a machine that is away: the last it had
    number: int
    is_inside: bool
    table: HostTable = field(repr=False, compare=False)
    mac: str = ""
    names: dict[str, int] = field(default_factory=dict)  # name → last seen, ns
    role: str = "unknown"
    role_reason: str = ""
    machine: str = ""  # MAC that tells the machine, "" where the address is the host
    has_moved: bool = False  # the machine or its address has changed partner

    @property
    def asset(self) -> str:
        """The machine's lasting id; "" where nothing but the address tells the host."""
        return f"mac-{self.machine.replace(':', '')}" if self.machine else ""

    @property
    def identity(self) -> str:
        """By what habits are remembered for long: the machine where it is known, else the address.

        Who gets a machine's address later does not get its habits with it.
        """
        return self.asset or self.ip

    @property
    def first_ns(self) -> int:
        return int(self.table.seen["first_ns"][self.number])

    @property
    def last_ns(self) -> int:
        return int(self.table.seen["last_ns"][self.number])

    @property
    def vlan(self) -> int:
        return int(self.table.seen["vlan"][self.number])

    @property
    def name(self) -> str:
        return max(self.names, key=lambda n: self.names[n]) if self.names else ""

    @property
    def is_never_controller(self) -> bool:
        return self.role in NEVER_CONTROLLERS
