"""Calls and shares in a window: who called what on whom, who wrote which file to which share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from collector.sightings import Dcerpc, Sighting, Smb
from detector.detection import FlowKey, Window
from detector.lateral.rpc_rules import interface_of

#: Shares that only administrators reach: ADMIN$ and the drives' C$, D$ …
_ADMIN_SHARE: Final = re.compile(r"(?:^|\\)(?:admin\$|[a-z]\$)$", re.IGNORECASE)
_EXECUTABLE: Final = re.compile(
    r"\.(?:exe|dll|sys|ps1|bat|cmd|vbs|js|hta|scr|msi|com|cpl)$", re.IGNORECASE
)
#: Files and pipes that remote-execution tools leave by their own names.
TOOL_NAMES: Final = (
    (re.compile(r"psexesvc|paexec|csexec|remcom|winexesvc|ahexec", re.I), "PsExec family"),
    (re.compile(r"(?:^|\\)__output", re.I), "smbexec"),
    (re.compile(r"(?:^|\\)__\d{10}(?:\.\d+)?$"), "wmiexec"),
    # Under another service name (psexec -r), its pipes keep host, process and stream.
    (re.compile(r"-[^\\-]+-\d+-(?:stdin|stdout|stderr)$", re.I), "PsExec family"),
    (
        re.compile(
            r"(?:^|\\)(?:(?:msagent_|status_|postex_(?:ssh_)?)[0-9a-f]{1,8}|msse-[0-9a-f]+-server)$",
            re.I,
        ),
        "Cobalt Strike",
    ),
    (re.compile(r"(?:^|\\)execute\.bat$", re.I), "smbexec"),
)
_SMB_PORTS: Final = (139, 445)
#: What atexec and secretsdump leave their answer in: eight letters, on an administrative share.
_ANSWER_FILE: Final = re.compile(r"^(?:temp|system32)\\[a-z]{8}\.tmp$", re.I)
_SMB2_CREATE, _SMB2_WRITE, _SMB2_TREE = 5, 9, 3
_SMB1_CREATE, _SMB1_WRITE, _SMB1_OPEN = 0xA2, 0x2F, 0x2D


@dataclass
class Calls:
    """One kind of call by one client on one server in a window."""

    sightings: list[Sighting] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)  # what was called or written, in order

    def add(self, sighting: Sighting, *names: str) -> None:
        if len(self.sightings) < 1000:
            self.sightings.append(sighting)
        if len(self.names) < 50:
            self.names.update((name, None) for name in names if name)

    @property
    def first_ns(self) -> int:
        return min(s.time_ns for s in self.sightings)

    @property
    def last_ns(self) -> int:
        return max(s.time_ns for s in self.sightings)

    @property
    def app(self) -> str:
        """What carried the calls: a pipe of SMB, or DCE/RPC by itself."""
        return "smb" if self.sightings[0].peer_port in _SMB_PORTS else "dcerpc"

    def flows(self) -> tuple[FlowKey, ...]:
        """The connections that carried the calls."""
        return tuple({flow_of(s): None for s in self.sightings})[:20]


def flow_of(sighting: Sighting, from_server: bool = False) -> FlowKey:
    """Name the connection of a packet that its client sent (or its server, if so told)."""
    ends = (sighting.ip, sighting.port, sighting.peer_ip, sighting.peer_port)
    if from_server:
        ends = (*ends[2:], *ends[:2])
    source, source_port, destination, destination_port = ends
    return FlowKey(sighting.time_ns, source, source_port, destination, destination_port, 6)


def requests(window: Window) -> Iterator[tuple[Dcerpc, str, int]]:
    """Every DCE/RPC request with its interface and operation; a bind has operation -1."""
    for call in window.of(Dcerpc):
        if call.packet not in ("request", "bind", "alter_context") or not call.ip:
            continue
        interface = interface_of(call.interface, call.pipe)
        operation = call.operation if call.packet == "request" else -1
        yield call, interface, operation


def share_of(smb: Smb) -> str:
    """The share's own name: ADMIN$ of \\\\server\\ADMIN$."""
    return smb.tree.replace("/", "\\").rstrip("\\").rsplit("\\", 1)[-1]


def is_admin_share(smb: Smb) -> bool:
    return bool(_ADMIN_SHARE.search(smb.tree.replace("/", "\\").rstrip("\\")))


def is_write(smb: Smb) -> bool:
    """A WRITE request, which is the only command that carries a write length."""
    if smb.is_response:
        return False
    if smb.dialect == 1:
        return smb.command == _SMB1_WRITE or smb.write_length > 0
    return smb.command == _SMB2_WRITE


def is_open(smb: Smb) -> bool:
    """A request to open or make a file or a pipe."""
    if smb.is_response or not smb.file:
        return False
    return smb.command in ((_SMB1_CREATE, _SMB1_OPEN) if smb.dialect == 1 else (_SMB2_CREATE,))


def is_tree_connect(smb: Smb) -> bool:
    return not smb.is_response and smb.command == (0x75 if smb.dialect == 1 else _SMB2_TREE)


def is_executable(smb: Smb) -> bool:
    return smb.magic == "MZ" or bool(_EXECUTABLE.search(smb.file))


def tool_of(name: str, is_on_admin_share: bool = False) -> str:
    """The tool that leaves a file or pipe of this name; empty if none is known."""
    if is_on_admin_share and _ANSWER_FILE.match(name):
        return "atexec / secretsdump"
    return next((tool for pattern, tool in TOOL_NAMES if pattern.search(name)), "")
