"""DCE/RPC (C706, MS-RPCE) out of tshark's lines: which operation of which interface."""

from __future__ import annotations

import re
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
    kinds = line.numbers("dcerpc.pkt_type")
    if not kinds:
        return []
    where = (fed.connection, handle)
    ids = line.numbers("dcerpc.cn_ctx_id")
    bound = list(zip(ids, _bound(line), strict=False))
    contexts = iter(ids[len(bound) :])
    first = line.numbers("dcerpc.cn_flags.first_frag")
    operations = line.numbers("dcerpc.opnum")
    told = [kind for kind in kinds if kind in (_REQUEST, _RESPONSE, _FAULT)]
    faults_told = len(operations) == len(told)
    operation_of = iter(operations)
    statuses = iter(line.numbers("dcerpc.cn_status"))
    is_encrypted = _PRIVACY in line.numbers("dcerpc.auth_level")
    datagram = line.text("dcerpc.dg_if_id")
    found: list[Dcerpc] = []
    for place, kind in enumerate(kinds):
        interface, operation, status = datagram, -1, 0
        if kind in (_BIND, _ALTER):
            for context, uuid in bound:
                memory.interfaces.put((*where, context), uuid)
            found.extend(
                Dcerpc(**fed.seen, packet=_NAMES[kind], interface=uuid, pipe=pipe,
                       is_encrypted=is_encrypted)
                for uuid in dict.fromkeys(uuid for _, uuid in bound)
            )  # fmt: skip
            bound = []
            continue
        if kind not in (_REQUEST, _RESPONSE, _FAULT):
            continue
        interface = interface or memory.interfaces.get((*where, next(contexts, 0))) or ""
        if kind != _FAULT or faults_told:
            operation = next(operation_of, -1)
        if kind == _FAULT:
            status = next(statuses, 0)
        if place < len(first) and not first[place]:
            continue
        found.append(
            Dcerpc(
                **fed.seen,
                packet=_NAMES[kind],
                interface=interface,
                operation=operation,
                pipe=pipe,
                is_encrypted=is_encrypted,
                status=status,
                addresses=_addresses(line) if kind == _RESPONSE else (),
            )
        )
    return found


def _bound(line: Line) -> list[str]:
    return [uuid.lower() for uuid in line.texts("dcerpc.cn_bind_to_uuid")]


def _addresses(line: Line) -> tuple[str, ...]:
    """The addresses among DCOM's string bindings, e.g. 192.168.1.46[49154]; names are left out."""
    bindings = line.texts("dcom.dualstringarray.network_addr")
    matches = (_ADDRESS.fullmatch(binding) for binding in bindings)
    return tuple(dict.fromkeys(match[1] for match in matches if match))
