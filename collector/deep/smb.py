"""SMB1 and SMB2 (MS-CIFS, MS-SMB2) out of tshark's lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.deep.memory import Asked, Memory
from collector.sightings import Smb

T = TypeVar("T")
_TREE_CONNECT, _CREATE, _CLOSE, _WRITE, _IOCTL = 3, 5, 6, 9, 11
_GET_INFO, _SET_INFO = 16, 17
_WITH_HANDLE: Final = frozenset((6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18))
_FILE_INFO: Final = 1
_SAME_AS_BEFORE: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_INTERFACES: Final = 0x001401FC  # FSCTL_QUERY_NETWORK_INTERFACE_INFO
_SMB1_TRANS2: Final = 0x32
_SMB1_NO_MORE: Final = 0xFF


@dataclass(slots=True)
class _Values:
    """The fields of a packet as queues: each PDU that has a field takes its next value."""

    status: Iterator[int]
    names: Iterator[str]
    handles: Iterator[str]
    functions: Iterator[int]
    classes: Iterator[int]
    levels: Iterator[int]
    lengths: Iterator[int]


def read_smb2(line: Line, fed: Fed, memory: Memory) -> tuple[list[Smb], str]:
    """The SMB2 PDUs of a packet, and the handle that the first one is about."""
    commands = line.numbers("smb2.cmd")
    if not commands:
        if not line.has("smb2.header.transform.msg_size"):
            return [], ""
        is_response = fed.seen["port"] < fed.seen["peer_port"]
        hidden = Smb(**fed.seen, dialect=2, command=-1, is_response=is_response, is_encrypted=True)
        return [hidden], ""
    values = _Values(
        iter(line.numbers("smb2.nt_status")), iter(line.texts("smb2.filename")),
        iter(line.texts("smb2.fid")), iter(line.numbers("smb2.ioctl.function")),
        iter(line.numbers("smb2.class")), iter(line.numbers("smb2.file_info.infolevel")),
        iter(line.numbers("smb2.write_length")),
    )  # fmt: skip
    answers = line.numbers("smb2.flags.response")
    ids = line.numbers("smb2.msg_id")
    trees, tree_ids = line.texts("smb2.tree"), line.numbers("smb2.tid")
    found: list[Smb] = []
    handle = first_handle = created = ""
    for place, command in enumerate(commands):
        is_response = bool(_at(answers, place, 0))
        tree_key = (fed.connection, _at(tree_ids, place, 0))
        tree = _at(trees, place, trees[0] if trees else "") or memory.trees.get(tree_key) or ""
        key = (fed.connection, _at(ids, place, 0))
        smb, handle = _read_pdu(line, fed, memory, values, command, is_response, tree, key, created)
        if command == _TREE_CONNECT and is_response and smb.tree:
            memory.trees.put(tree_key, smb.tree)
        created = smb.file if command == _CREATE else created
        first_handle = first_handle or handle
        found.append(smb)
    return found, first_handle


def _read_pdu(
    line: Line, fed: Fed, memory: Memory, values: _Values, command: int, is_response: bool,
    tree: str, key: tuple[object, int], created: str,
) -> tuple[Smb, str]:  # fmt: skip
    status = next(values.status, 0) if is_response else 0
    asked = memory.asked.take(key) if is_response and status != 0x103 else memory.asked.get(key)
    asked = asked if is_response else None
    handle = file = ""
    if command == _CREATE and not is_response:
        file = next(values.names, "")
    elif (command in _WITH_HANDLE and (not is_response or command == _IOCTL)) or (
        command == _CREATE and status == 0
    ):
        handle = next(values.handles, "")
    if asked is not None:
        file, tree = asked.file, asked.tree or tree
        handle = handle or asked.handle
    if command == _CREATE and is_response and handle:
        memory.files.put((fed.connection, handle), file)
    elif handle == _SAME_AS_BEFORE:
        file = file or created
    elif handle:
        file = file or memory.files.get((fed.connection, handle)) or ""
    if command == _CLOSE and is_response:
        memory.files.take((fed.connection, handle))
    if not is_response:
        memory.asked.put(key, Asked(tree, file, handle))
    ioctl = next(values.functions, 0) if command == _IOCTL else 0
    level = 0
    if command in (_GET_INFO, _SET_INFO) and next(values.classes, 0) == _FILE_INFO:
        level = next(values.levels, 0)
    is_write = command == _WRITE and not is_response
    return Smb(
        **fed.seen,
        dialect=2,
        command=command,
        is_response=is_response,
        status=status,
        tree=tree,
        file=file,
        ioctl=ioctl,
        info_class=level,
        write_length=next(values.lengths, 0) if is_write else 0,
        magic=fed.magic if is_write else "",
        addresses=_interfaces(line) if ioctl == _INTERFACES and is_response else (),
    ), handle


def _interfaces(line: Line) -> tuple[str, ...]:
    four = line.texts("smb2.windows.sockaddr.in.addr")
    return tuple(dict.fromkeys(four + line.texts("smb2.windows.sockaddr.in6.addr")))


def read_smb1(line: Line, fed: Fed) -> list[Smb]:
    """The SMB1 commands of a packet; AndX chains come out as one sighting a command."""
    commands = [c for c in line.numbers("smb.cmd") if c != _SMB1_NO_MORE]
    answers = line.numbers("smb.flags.response")
    statuses, mids = line.numbers("smb.nt_status"), line.numbers("smb.mid")
    trees = line.texts("smb.path")
    files = [name.lstrip("\\") for name in line.texts("smb.file")]
    subcommands = iter(line.numbers("smb.trans2.cmd"))
    found: list[Smb] = []
    for place, command in enumerate(commands):
        header = place if len(answers) == len(commands) else 0
        is_response = bool(_at(answers, header, 0))
        found.append(
            Smb(
                **fed.seen,
                dialect=1,
                command=command,
                is_response=is_response,
                status=_at(statuses, header, 0),
                tree=_at(trees, header, trees[0] if trees else ""),
                file=_at(files, header, files[0] if files else ""),
                write_length=0 if is_response else line.number("smb.data_len_low"),
                magic="" if is_response else fed.magic,
                trans2=next(subcommands, -1) if command == _SMB1_TRANS2 else -1,
                multiplex=_at(mids, header, 0),
            )
        )
    return found


def _at(values: list[T], place: int, otherwise: T) -> T:
    return values[place] if place < len(values) else otherwise
