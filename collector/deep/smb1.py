"""SMB1 (MS-CIFS) out of tshark's lines."""

from __future__ import annotations

from typing import Final, TypeVar

from collector.deep.dcerpc import Carrier
from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.sightings import Smb

T = TypeVar("T")
_TRANS2: Final = 0x32
_NO_MORE: Final = 0xFF  # ends an AndX chain


#: (command, whether it is an answer) that bring what is written to a pipe or read from it: READ,
#: WRITE and their AndX forms, WRITE_AND_CLOSE, TRANSACTION.
_CARRIES: Final = frozenset(
    {(0x0A, True), (0x0B, False), (0x2C, False), (0x2E, True), (0x2F, False), (0x25, False),
     (0x25, True)}
)  # fmt: skip


def read_smb1(line: Line, fed: Fed) -> tuple[list[Smb], list[Carrier]]:
    """The SMB1 commands of a packet, and those pipes among them that carry something, in order.

    AndX chains come out as one sighting a command.
    """
    commands = [c for c in line.numbers("smb.cmd") if c != _NO_MORE]
    answers = line.numbers("smb.flags.response")
    statuses, mids = line.numbers("smb.nt_status"), line.numbers("smb.mid")
    trees = line.texts("smb.path")
    files = [name.lstrip("\\") for name in line.texts("smb.file")]
    subcommands = iter(line.numbers("smb.trans2.cmd"))
    handles = line.texts("smb.fid")
    found: list[Smb] = []
    carriers: list[Carrier] = []
    for place, command in enumerate(commands):
        header = place if len(answers) == len(commands) else 0
        is_response = bool(_at(answers, header, 0))
        file = _at(files, header, files[0] if files else "")
        if (command, is_response) in _CARRIES:
            carriers.append(Carrier(_at(handles, header, handles[0] if handles else ""), file))
        found.append(
            Smb(
                **fed.seen,
                dialect=1,
                command=command,
                is_response=is_response,
                status=_at(statuses, header, 0),
                tree=_at(trees, header, trees[0] if trees else ""),
                file=file,
                write_length=0 if is_response else line.number("smb.data_len_low"),
                magic="" if is_response else fed.magic,
                trans2=next(subcommands, -1) if command == _TRANS2 else -1,
                multiplex=_at(mids, header, 0),
            )
        )
    return found, carriers


def _at(values: list[T], place: int, otherwise: T) -> T:
    return values[place] if place < len(values) else otherwise
