"""DCE/RPC (C706, MS-RPCE) out of tshark's lines: which operation of which interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.deep.memory import Memory
from collector.sightings import Dcerpc

_REQUEST, _RESPONSE, _FAULT, _BIND, _ALTER = 0, 2, 3, 11, 14
_NAMES: Final = {
    _REQUEST: "request", _RESPONSE: "response", _FAULT: "fault", _BIND: "bind",
    _ALTER: "alter_context",
}  # fmt: skip
_CALLS: Final = frozenset({_REQUEST, _RESPONSE, _FAULT})
_PRIVACY: Final = 6
_ADDRESS: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)(?:\[\d+\])?")


class Carrier(NamedTuple):
    """The pipe that a PDU goes over; both empty where it goes over TCP or UDP itself."""

    handle: str = ""
    name: str = ""


def read_dcerpc(
    line: Line, fed: Fed, memory: Memory, carriers: Sequence[Carrier] = ()
) -> list[Dcerpc]:
    """The calls of a packet; `carriers` are the pipes in the order in which SMB wrote or read them.

    Later fragments of a call are left out. The interface of a call is known from the bind, which
    we remember ourselves: tshark forgets it when it is restarted.
    """
    return _Packet(line, fed, memory).read(carriers)


class _Packet:
    """A packet's PDUs. Fields that only some PDUs have are queues: each takes its next value."""

    def __init__(self, line: Line, fed: Fed, memory: Memory) -> None:
        self._fed, self._memory = fed, memory
        self._kinds = line.numbers("dcerpc.pkt_type")
        self._is_first = line.numbers("dcerpc.cn_flags.first_frag")
        self._items = iter(line.numbers("dcerpc.cn_num_ctx_items"))
        self._contexts = iter(line.numbers("dcerpc.cn_ctx_id"))
        self._uuids = iter(uuid.lower() for uuid in line.texts("dcerpc.cn_bind_to_uuid"))
        operations = line.numbers("dcerpc.opnum")
        self._operations, self._hints = iter(operations), iter(line.numbers("dcerpc.cn_alloc_hint"))
        self._statuses = iter(line.numbers("dcerpc.cn_status"))
        # tshark names a fault's operation where it saw the request
        is_all_named = len(operations) == sum(kind in _CALLS for kind in self._kinds)
        self._has_operation = _CALLS if is_all_named else _CALLS - {_FAULT}
        self._datagram = line.text("dcerpc.dg_if_id").lower()
        self._is_encrypted = _PRIVACY in line.numbers("dcerpc.auth_level")
        self._is_constant = _is_constant(line.text("netlogon.clientchallenge"))
        self._addresses = _addresses(line)
        self._class = _activated(line)

    def read(self, carriers: Sequence[Carrier]) -> list[Dcerpc]:
        found: list[Dcerpc] = []
        for place, kind in enumerate(self._kinds):
            # Where several PDUs share the last pipe, they were written to it at once.
            carrier = carriers[min(place, len(carriers) - 1)] if carriers else Carrier()
            if kind in (_BIND, _ALTER):
                found += self._bind(kind, carrier)
            elif kind in _CALLS:
                call = self._call(kind, carrier)
                if place >= len(self._is_first) or self._is_first[place]:
                    found.append(call)
        return found

    def _bind(self, kind: int, carrier: Carrier) -> list[Dcerpc]:
        uuids = []
        for _ in range(next(self._items, 0)):
            context, uuid = next(self._contexts, None), next(self._uuids, None)
            if context is None or uuid is None:
                break
            for pipe in carrier:
                self._memory.interfaces.put((self._fed.connection, pipe, context), uuid)
            uuids.append(uuid)
        return [
            Dcerpc(
                **self._fed.seen,
                packet=_NAMES[kind],
                interface=uuid,
                pipe=carrier.name,
                is_encrypted=self._is_encrypted,
            )
            for uuid in dict.fromkeys(uuids)
        ]

    def _call(self, kind: int, carrier: Carrier) -> Dcerpc:
        """A request, answer or fault."""
        has_context = not self._datagram
        return Dcerpc(
            **self._fed.seen,
            packet=_NAMES[kind],
            interface=self._bound(carrier) if has_context else self._datagram,
            operation=next(self._operations, -1) if kind in self._has_operation else -1,
            pipe=carrier.name,
            is_encrypted=self._is_encrypted,
            status=next(self._statuses, 0) if kind == _FAULT else 0,
            addresses=self._addresses if kind == _RESPONSE else (),
            stub_bytes=next(self._hints, 0),
            is_challenge_constant=self._is_constant and kind == _REQUEST,
            object_class=self._class if kind == _REQUEST else "",
        )

    def _bound(self, carrier: Carrier) -> str:
        """What the call's context was bound to, on this handle or else on a pipe of this name.

        A bind in one packet with the opening of its pipe was sent before the handle was known.
        """
        context = next(self._contexts, None)
        for pipe in carrier:
            uuid = self._memory.interfaces.get((self._fed.connection, pipe, context))
            if uuid:
                return uuid
        return ""


def _is_constant(challenge: str) -> bool:
    """Zerologon's: patched controllers refuse a challenge whose first five bytes are alike."""
    start = challenge.replace(":", "")[:10]
    return len(start) == 10 and start == start[:2] * 5


def _activated(line: Line) -> str:
    """The class that an activation names, in today's form or in that of IRemoteActivation."""
    now = line.text("isystemactivator.properties.instninfo.clsid")
    return (now or (line.text("dcom.clsid") if line.has("remact.opnum") else "")).lower()


def _addresses(line: Line) -> tuple[str, ...]:
    """The addresses among DCOM's string bindings, e.g. 192.168.1.46[49154]; names are left out."""
    bindings = line.texts("dcom.dualstringarray.network_addr")
    matches = (_ADDRESS.fullmatch(binding) for binding in bindings)
    return tuple(dict.fromkeys(match[1] for match in matches if match))
