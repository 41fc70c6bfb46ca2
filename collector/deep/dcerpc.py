"""DCE/RPC (C706, MS-RPCE) out of tshark's lines: which operation of which interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.deep.memory import Memory
from collector.sightings import Dcerpc

_REQUEST, _RESPONSE, _FAULT, _BIND, _ALTER = 0, 2, 3, 11, 14
_NAMES: Final = {
    _REQUEST: "request", _RESPONSE: "response", _FAULT: "fault", _BIND: "bind",
    _ALTER: "alter_context",
}  # fmt: skip
_PRIVACY: Final = 6
_ADDRESS: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)(?:\[\d+\])?")


def read_dcerpc(line: Line, fed: Fed, memory: Memory, handle: str, pipe: str) -> list[Dcerpc]:
    """The calls of a packet; `handle` and `pipe` say over which pipe they went, if over SMB.

    Later fragments of a call are left out. The interface of a call is known from the bind, which
    we remember ourselves: tshark forgets it when it is restarted.
    """
    ids, uuids = line.numbers("dcerpc.cn_ctx_id"), _bound(line)
    where = (fed.connection, handle)
    for context, uuid in zip(ids, uuids, strict=False):
        memory.interfaces.put((*where, context), uuid)
    datagram = line.text("dcerpc.dg_if_id").lower()
    interfaces = (
        datagram or memory.interfaces.get((*where, context)) or "" for context in ids[len(uuids) :]
    )
    return _binds(line, fed, pipe, uuids) + _calls(line, fed, pipe, interfaces, datagram)


def _binds(line: Line, fed: Fed, pipe: str, uuids: list[str]) -> list[Dcerpc]:
    kinds = [kind for kind in line.numbers("dcerpc.pkt_type") if kind in (_BIND, _ALTER)]
    is_encrypted = _is_encrypted(line)
    return [
        Dcerpc(
            **fed.seen,
            packet=_NAMES[kinds[0]],
            interface=uuid,
            pipe=pipe,
            is_encrypted=is_encrypted,
        )
        for uuid in dict.fromkeys(uuids if kinds else ())
    ]


def _calls(
    line: Line, fed: Fed, pipe: str, interfaces: Iterator[str], datagram: str
) -> list[Dcerpc]:
    """Requests, answers and faults; each takes the next value of the fields that it has."""
    kinds = line.numbers("dcerpc.pkt_type")
    is_first = line.numbers("dcerpc.cn_flags.first_frag")
    operations, statuses = line.numbers("dcerpc.opnum"), iter(line.numbers("dcerpc.cn_status"))
    has_operation = {_REQUEST, _RESPONSE}
    if len(operations) == sum(kind in (_REQUEST, _RESPONSE, _FAULT) for kind in kinds):
        has_operation.add(_FAULT)  # tshark names a fault's operation where it saw the request
    operation_of, hints = iter(operations), iter(line.numbers("dcerpc.cn_alloc_hint"))
    is_constant = _is_constant(line.text("netlogon.clientchallenge"))
    is_encrypted = _is_encrypted(line)
    found: list[Dcerpc] = []
    for place, kind in enumerate(kinds):
        if kind not in (_REQUEST, _RESPONSE, _FAULT):
            continue
        call = Dcerpc(
            **fed.seen,
            packet=_NAMES[kind],
            interface=next(interfaces, datagram),
            operation=next(operation_of, -1) if kind in has_operation else -1,
            pipe=pipe,
            is_encrypted=is_encrypted,
            status=next(statuses, 0) if kind == _FAULT else 0,
            addresses=_addresses(line) if kind == _RESPONSE else (),
            stub_bytes=next(hints, 0),
            is_challenge_constant=is_constant and kind == _REQUEST,
        )
        if place >= len(is_first) or is_first[place]:
            found.append(call)
    return found


def _is_encrypted(line: Line) -> bool:
    return _PRIVACY in line.numbers("dcerpc.auth_level")


def _is_constant(challenge: str) -> bool:
    """Zerologon's: patched controllers refuse a challenge whose first five bytes are alike."""
    start = challenge.replace(":", "")[:10]
    return len(start) == 10 and start == start[:2] * 5


def _bound(line: Line) -> list[str]:
    return [uuid.lower() for uuid in line.texts("dcerpc.cn_bind_to_uuid")]


def _addresses(line: Line) -> tuple[str, ...]:
    """The addresses among DCOM's string bindings, e.g. 192.168.1.46[49154]; names are left out."""
    bindings = line.texts("dcom.dualstringarray.network_addr")
    matches = (_ADDRESS.fullmatch(binding) for binding in bindings)
    return tuple(dict.fromkeys(match[1] for match in matches if match))
