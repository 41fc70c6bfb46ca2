"""Responders: one cut, written as the commands of one kind of device, with its undo.

Nothing here talks to a device: a person copies the commands, or another tool is told to run them.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar, Literal
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from detector.isolation.plan import Commands

_SAFE = re.compile(r"[A-Za-z0-9/._:-]{1,64}")
#: Filters of several cuts live side by side; each cut has its own number among these.
_YAMAHA_NUMBERS = 1_000_000


@dataclass(frozen=True)
class Cut:
    """What is to be cut: one edge, one host, one switch port, or one tunnel."""

    kind: Literal["edge", "host", "quarantine", "port_down", "tunnel"]
    source: str = ""
    target: str = ""
    port: int = 0  # TCP port of an edge, 0 = all
    switch_port: str = ""
    vlan: int = 0
    tunnel: str = ""

    def __post_init__(self) -> None:
        # These words end up in a device's command line; nothing may break out of it. Python takes
        # any text for an address's zone (fe80::1%...), so an address is looked at as a word too.
        for word in (self.switch_port, self.tunnel, self.source, self.target):
            if word and not _SAFE.fullmatch(word):
                raise ValueError(f"{word!r} cannot stand in a device's command")
        for address in filter(None, (self.source, self.target)):
            ip_address(address)


class Responder(BaseModel):
    """One kind of device; `render` writes the cut, or None if the device cannot make it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    device: ClassVar[str]

    @abstractmethod
    def render(self, cut: Cut) -> Commands | None:
        """Return the commands and their undo."""


class CiscoIos(Responder):
    """Cisco IOS and IOS XE (unconfirmed changes revert after 10 minutes)."""

    device = "Cisco IOS"
    quarantine_vlan: int = Field(999, ge=2, le=4094, description="VLAN with no way out")
    access_list: str = Field("MIMAWARI", description="extended ACL on the gateway's interface")

    def render(self, cut: Cut) -> Commands | None:
        begin = "configure terminal revert timer 10"
        end = "configure confirm"
        if cut.kind in ("edge", "host") and ":" not in cut.source + cut.target:
            rule, name = _cisco_rule(cut), self.access_list
            acl = f"ip access-list extended {name}"
            return Commands(
                self.device,
                (
                    # Nothing is shown: without a permit at its end the list would stop everybody.
                    f"show ip access-lists {name} | include permit ip any any",
                    begin,
                    # Earlier cuts go on to stand behind this one; number 1 is free again.
                    f"ip access-list resequence {name} 1000 10",
                    acl,
                    f"1 {rule}",
                    "end",
                    end,
                ),
                # By its words: its number may be another cut's by now.
                (begin, acl, f"no {rule}", "end", end),
            )
        if cut.kind == "quarantine" and cut.switch_port:
            port = f"interface {cut.switch_port}"
            back = f"switchport access vlan {cut.vlan or '<元の番号>'}"
            return Commands(
                self.device,
                (
                    f"show running-config {port}",  # what the undo goes back to
                    begin,
                    port,
                    f"switchport access vlan {self.quarantine_vlan}",
                    "end",
                    end,
                ),
                (begin, port, back, "end", end),
            )
        if cut.kind == "port_down" and cut.switch_port:
            port = f"interface {cut.switch_port}"
            return Commands(
                self.device,
                (begin, port, "shutdown", "end", end),
                (begin, port, "no shutdown", "end", end),
            )
        return None


def _cisco_rule(cut: Cut) -> str:
    if cut.kind == "host":
        return f"deny ip host {cut.source} any"
    port = f" eq {cut.port}" if cut.port else ""
    return f"deny {'tcp' if cut.port else 'ip'} host {cut.source} host {cut.target}{port}"


class YamahaRtx(Responder):
    """Yamaha RTX routers. The filter stands ahead of those that are already on the interface.

    An interface without filters passes everything, one with any drops what fits none: where there
    was none, the filter that passes everything has to follow.
    """

    device = "Yamaha RTX"
    filter_number: int = Field(
        9_000_000, ge=1, le=20_000_000, description="passes all; those of cuts are above it"
    )
    interface: str = Field("lan1", pattern=r"^[a-z]+[0-9./]*$", description="towards the hosts")

    def render(self, cut: Cut) -> Commands | None:
        if cut.kind in ("edge", "host") and ":" not in cut.source + cut.target:
            target = cut.target if cut.kind == "edge" else "*"
            how = f"tcp * {cut.port}" if cut.kind == "edge" and cut.port else "*"
            told = crc32(f"{cut.source} {target} {how}".encode())
            number = self.filter_number + 1 + told % _YAMAHA_NUMBERS
            on = f"ip {self.interface} secure filter in"
            return Commands(
                self.device,
                (
                    f"ip filter {self.filter_number} pass * *",
                    f"ip filter {number} reject {cut.source} {target} {how}",
                    f'show config | grep "{on}"',
                    f"{on} {number} <いまの番号列を続ける。無ければ {self.filter_number}>",
                ),
                (
                    f"{on} <元の番号列。無かったときは代わりに no {on}>",
                    f"no ip filter {number}",
                ),
            )
        if cut.kind == "tunnel" and cut.tunnel:
            return Commands(
                self.device, (f"tunnel disable {cut.tunnel}",), (f"tunnel enable {cut.tunnel}",)
            )
        return None


class FortiGate(Responder):
    """FortiGate (FortiOS 7.4 to 8.0). A banned address comes back by itself after the time."""

    device = "FortiGate"
    ban_s: int = Field(14400, ge=60, description="seconds an address stays banned")

    def render(self, cut: Cut) -> Commands | None:
        if cut.kind == "host":
            family = "src6" if ":" in cut.source else "src4"
            return Commands(
                self.device,
                (f"diagnose user banned-ip add {family} {cut.source} {self.ban_s} admin",),
                (f"diagnose user banned-ip delete {family} {cut.source}",),
            )
        if cut.kind == "tunnel" and cut.tunnel:
            edit = ("config system interface", f"edit {cut.tunnel}")
            return Commands(
                self.device,
                (*edit, "set status down", "end"),
                (*edit, "set status up", "end"),
            )
        return None


RESPONDERS: tuple[Responder, ...] = (CiscoIos(), YamahaRtx(), FortiGate())


def render_all(cut: Cut, responders: tuple[Responder, ...] = RESPONDERS) -> tuple[Commands, ...]:
    """The commands of every device that can make this cut."""
    rendered = (responder.render(cut) for responder in responders)
    return tuple(commands for commands in rendered if commands is not None)
