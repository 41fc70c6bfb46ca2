"""SMB2 and SMB3 (MS-SMB2) out of tshark's lines."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from collector.deep.dcerpc import Carrier
from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.deep.memory import Asked, Memory
from collector.sightings import Smb

_NEGOTIATE, _TREE_CONNECT, _CREATE, _CLOSE, _READ, _WRITE, _IOCTL = 0, 3, 5, 6, 8, 9, 11
_GET_INFO, _SET_INFO = 16, 17
_WITH_HANDLE: Final = frozenset((6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18))
_MAY_ENCRYPT: Final = 0x40  # SMB2_GLOBAL_CAP_ENCRYPTION
_PENDING: Final = 0x103  # the answer itself comes later
_MORE_TO_READ: Final = 0x80000005
_FILE_INFO: Final = 1
_RENAME: Final = 10  # FileRenameInformation (MS-FSCC 2.4.42)
_SAME_AS_BEFORE: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_TRANSCEIVE: Final = 0x0011C017  # FSCTL_PIPE_TRANSCEIVE
_INTERFACES: Final = 0x001401FC  # FSCTL_QUERY_NETWORK_INTERFACE_INFO


def read_smb2(line: Line, fed: Fed, memory: Memory) -> tuple[list[Smb], list[Carrier]]:
    """The SMB2 PDUs of a packet, and those pipes among them that carry something, in order."""
    if line.has("smb2.cmd"):
        packet = _Packet(line, fed, memory)
        return packet.read(), packet.carriers
    return _sealed(line, fed), []


def _sealed(line: Line, fed: Fed) -> list[Smb]:
    """Encrypted messages: their head still tells how long each is (MS-SMB2 §2.2.41)."""
    is_response = fed.seen["port"] < fed.seen["peer_port"]
    return [
        Smb(
            **fed.seen,
            dialect=2,
            command=-1,
            is_response=is_response,
            is_encrypted=True,
            sealed_bytes=size,
        )
        for size in line.numbers("smb2.header.transform.msg_size")
    ]


class _Packet:
    """A packet's PDUs. Fields that only some PDUs have are queues: each takes its next value."""

    def __init__(self, line: Line, fed: Fed, memory: Memory) -> None:
        self._line, self._fed, self._memory = line, fed, memory
        self._status = iter(line.numbers("smb2.nt_status"))
        self._names = iter(line.texts("smb2.filename"))
        self._handles = iter(line.texts("smb2.fid"))
        self._functions = iter(line.numbers("smb2.ioctl.function"))
        self._classes = iter(line.numbers("smb2.class"))
        self._levels = iter(line.numbers("smb2.file_info.infolevel"))
        self._lengths = iter(line.numbers("smb2.write_length"))
        self._trees = line.texts("smb2.tree")
        self._created = ""  # what related PDUs of the same packet are about
        self.carriers: list[Carrier] = []

    def read(self) -> list[Smb]:
        commands = self._line.numbers("smb2.cmd")
        heads = zip(
            commands,
            _filled(self._line.numbers("smb2.flags.response"), len(commands)),
            _filled(self._line.numbers("smb2.msg_id"), len(commands)),
            _filled(self._line.numbers("smb2.tid"), len(commands)),
            strict=True,
        )
        return [
            self._answer(place, command, number, tree) if is_response
            else self._request(place, command, number, tree)
            for place, (command, is_response, number, tree) in enumerate(heads)
        ]  # fmt: skip

    def _request(self, place: int, command: int, number: int, tree_id: int) -> Smb:
        handle = next(self._handles, "") if command in _WITH_HANDLE else ""
        if command == _CREATE:
            file = self._created = next(self._names, "")
        elif handle == _SAME_AS_BEFORE:
            file = self._created
        else:
            file = self._memory.files.get((self._fed.connection, handle)) or ""
        tree = self._tree(place, tree_id)
        self._memory.asked.put((self._fed.connection, number), Asked(tree, file, handle))
        is_write = command == _WRITE
        ioctl = next(self._functions, 0) if command == _IOCTL else 0
        if is_write or ioctl == _TRANSCEIVE:
            self._carry(handle, file, tree)
        level = self._info_class(command)
        is_rename = command == _SET_INFO and level == _RENAME
        return Smb(
            **self._fed.seen,
            dialect=2,
            command=command,
            is_response=False,
            tree=tree,
            file=file,
            new_name=next(self._names, "") if is_rename else "",
            ioctl=ioctl,
            info_class=level,
            write_length=next(self._lengths, 0) if is_write else 0,
            magic=self._fed.magic if is_write else "",
            client=_library(self._line) if command == _NEGOTIATE else "",
        )

    def _answer(self, place: int, command: int, number: int, tree_id: int) -> Smb:
        connection, status = self._fed.connection, next(self._status, 0)
        key = (connection, number)
        asked = self._memory.asked.get(key) or Asked("", "", "")
        if status != _PENDING:
            self._memory.asked.take(key)
        has_handle = command == _IOCTL or (command == _CREATE and status == 0)
        handle = next(self._handles, "") if has_handle else asked.handle
        file = asked.file or self._memory.files.get((connection, handle)) or ""
        tree = asked.tree or self._tree(place, tree_id)
        if command == _CREATE and handle:
            self._memory.files.put((connection, handle), file)
        elif command == _CLOSE:
            self._memory.files.take((connection, handle))
        elif command == _TREE_CONNECT and tree:
            self._memory.trees.put((connection, tree_id), tree)
        ioctl = next(self._functions, 0) if command == _IOCTL else 0
        if (command == _READ or ioctl == _TRANSCEIVE) and status in (0, _MORE_TO_READ):
            self._carry(handle, file, tree)
        return Smb(
            **self._fed.seen,
            dialect=2,
            command=command,
            is_response=True,
            status=status,
            tree=tree,
            file=file,
            ioctl=ioctl,
            info_class=self._info_class(command),
            addresses=self._interfaces() if ioctl == _INTERFACES else (),
        )

    def _carry(self, handle: str, file: str, tree: str) -> None:
        """Note what was written, read or exchanged, except on a share that has no pipes."""
        if not tree or tree.upper().endswith("IPC$"):
            self.carriers.append(Carrier(handle, file))

    def _tree(self, place: int, tree_id: int) -> str:
        """The share; tshark names it, except where another tshark saw it opened."""
        if self._trees:
            return self._trees[place] if place < len(self._trees) else self._trees[0]
        return self._memory.trees.get((self._fed.connection, tree_id)) or ""

    def _info_class(self, command: int) -> int:
        is_info = command in (_GET_INFO, _SET_INFO)
        return next(self._levels, 0) if is_info and next(self._classes, 0) == _FILE_INFO else 0

    def _interfaces(self) -> tuple[str, ...]:
        four = self._line.texts("smb2.windows.sockaddr.in.addr")
        return tuple(dict.fromkeys(four + self._line.texts("smb2.windows.sockaddr.in6.addr")))


def _library(line: Line) -> str:
    """The attackers' library whose habit the client's GUID shows, which is in clear always.

    Windows makes it from the time, Samba at random. Impacket takes sixteen letters; Invoke-TheHash
    leaves it empty and yet offers encryption, which an old client could not.
    """
    try:
        guid = UUID(line.text("smb2.client_guid")).bytes_le
    except ValueError:
        return ""
    if guid.isalpha():
        return "impacket"
    if not any(guid) and line.numbers("smb2.capabilities")[:1] == [_MAY_ENCRYPT]:
        return "Invoke-TheHash"
    return ""


def _filled(values: list[int], count: int) -> list[int]:
    return values[:count] + [0] * (count - len(values))
