"""DICOM (PS3.7, PS3.8) and HL7 v2 read from the segments themselves; no patient's value is kept."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from collector.decoders.decoder import seen
from collector.decoders.wire import readable
from collector.packet import Packet
from collector.recent import Recent
from collector.sightings import Dicom, Hl7

_ASSOCIATIONS: Final = {1: "associate_rq", 2: "associate_ac", 3: "associate_rj"}
_DATA: Final = 4
_COMMANDS: Final = {
    0x0001: "c_store", 0x0010: "c_get", 0x0020: "c_find", 0x0021: "c_move", 0x0030: "c_echo",
    0x0100: "n_event_report", 0x0110: "n_get", 0x0120: "n_set", 0x0130: "n_action",
    0x0140: "n_create", 0x0150: "n_delete", 0x0FFF: "c_cancel",
}  # fmt: skip
_ANSWER: Final = 0x8000
_PRESENTATION, _USER = 0x20, 0x50
_ABSTRACT_SYNTAX, _IMPLEMENTATION_UID, _IMPLEMENTATION_NAME = 0x30, 0x52, 0x55
_CLASS_ELEMENTS: Final = (0x0002, 0x0003)  # affected and requested SOP class
_COMMAND_ELEMENT: Final = 0x0100
_MAX_ITEMS: Final = 256
#: (0000,0000), the length of the command behind it, which stands first in each: PS3.7 §E.1.
_COMMAND_START: Final = b"\0\0\0\0\4\0\0\0"
#: Heads of a data unit and of the first value in it: PS3.8 §9.3.5.
_UNIT_HEAD: Final = 12
#: No command and no association's head is longer.
_LONGEST: Final = 1024
_LONGEST_ASSOCIATION: Final = 0x100000
_CONNECTIONS: Final = 4096
_DESCRIPTIONS: Final = 256
#: MSH-3 to 6 and MSH-9; the first field is the sign between all of them.
_MSH: Final = (2, 3, 4, 5, 8)
_MLLP_START: Final = b"\x0bMSH"


def may_be_dicom(payload: bytes) -> bool:
    """An association, or data that starts with a command; other protocols cost one look."""
    if len(payload) < 10 or payload[1] != 0 or payload[0] not in (1, 2, 3, 4):
        return False
    if payload[0] == _DATA:
        length, inner = struct.unpack_from("!II", payload, 2)
        return len(payload) >= 12 and 2 <= inner <= length - 4 and payload[11] in (1, 3)
    if payload[0] == 3:
        return len(payload) == 10 and payload[2:6] == b"\0\0\0\4"
    return len(payload) >= 74 and payload[6:8] == b"\0\1" and payload[8:10] == b"\0\0"


class DicomReader:
    """Associations and commands of DICOM connections, however TCP cut them into segments.

    dcmtk sends the head of a data unit as a segment of its own, others cut where the segment is
    full. A command is therefore looked for where it starts, with its group's length (PS3.7 §E.1);
    what may be the beginning of one is kept for the next segment of the direction.
    """

    def __init__(self) -> None:
        self._known: Recent[bool] = Recent(_CONNECTIONS)
        self._begun: Recent[bytes] = Recent(_CONNECTIONS)

    def knows(self, connection: int, way: int) -> bool:
        """Is a segment read even if it does not look like DICOM? Keys as `read` takes them."""
        return self._known.get(connection) is not None or self._begun.get(way) is not None

    def is_between(self, connection: int, way: int) -> bool:
        """Does a segment in which no unit and no command begins tell nothing?"""
        return self._known.get(connection) is not None and self._begun.get(way) is None

    def associated(self, connection: int, way: int) -> None:
        """An association of the connection was read elsewhere: it begins a unit."""
        self._begun.take(way)
        self._known.put(connection, True)

    def read(self, packet: Packet, connection: int, way: int) -> list[Dicom] | None:
        """What this segment tells, often nothing; None if its connection is not DICOM.

        `connection` and `way` stand for both ends, the same for both directions and not.
        """
        payload = packet.payload
        begun = self._begun.take(way) or b""
        if may_be_dicom(payload):
            begun = b""  # a unit starts here: what was kept has lost its rest
            self._known.put(connection, True)
        elif not begun and not _may_begin(payload) and not self._known.get(connection):
            return None
        told, kept = _told(packet, begun + payload)
        if told and not self._known.get(connection):
            self._known.put(connection, True)
        if kept:
            self._begun.put(way, kept)
        return told


def _may_begin(payload: bytes) -> bool:
    """The head of an association without, or with little of, its body."""
    if not 6 <= len(payload) < 74 or payload[0] not in (1, 2) or payload[1] != 0:
        return False
    is_one = 68 <= int.from_bytes(payload[2:6], "big") < _LONGEST_ASSOCIATION
    return is_one and payload[6:8] in (b"", b"\0", b"\0\1")


def _told(packet: Packet, data: bytes) -> tuple[list[Dicom], bytes]:
    """What is said in these bytes of one direction, and the last of them if it needs the next."""
    told: list[Dicom] = []
    at = 0
    if may_be_dicom(data):
        if data[0] == _DATA:
            at = 10 + struct.unpack_from("!I", data, 6)[0]
            told += _command(packet, data[12:at])
            at = at if told else 0
        elif data[0] == 3:
            return [Dicom(**seen(packet), message="associate_rj")], b""
        else:
            return [_association(packet, data)], b""
    elif _may_begin(data) or (len(data) < _UNIT_HEAD and data[:1] == bytes([_DATA])):
        return [], data
    while (start := data.find(_COMMAND_START, at)) >= 0:
        at = start + len(_COMMAND_START)
        length = int.from_bytes(data[at : at + 4], "little")
        if len(data) < at + 4 + min(length, _LONGEST):
            return told, data[start : start + _LONGEST]
        if length < _LONGEST:
            told += _command(packet, data[at + 4 : at + 4 + length])
            at += 4 + length
    for size in range(min(len(_COMMAND_START) - 1, len(data) - at), 0, -1):
        if data.endswith(_COMMAND_START[:size]):
            return told, data[-size:]
    return told, b""


def _association(packet: Packet, data: bytes) -> Dicom:
    implementation, sop_class = _described(data[74:])
    return Dicom(
        **seen(packet),
        message=_ASSOCIATIONS[data[0]],
        called_ae=_title(data[10:26]),
        calling_ae=_title(data[26:42]),
        implementation=implementation,
        sop_class=sop_class,
    )


@lru_cache(_DESCRIPTIONS)
def _described(items: bytes) -> tuple[str, str]:
    """Implementation and first class; a machine says the same in each of its associations."""
    uid, name, classes = _items(items, 0)
    return " ".join(part for part in (uid, name) if part), classes[0] if classes else ""


def _title(raw: bytes) -> str:
    return readable(raw.strip(b" \0"))


def _items(data: bytes, depth: int) -> tuple[str, str, list[str]]:
    """Implementation UID and name, and the abstract syntaxes, of the items of an association."""
    uid = name = ""
    classes: list[str] = []
    at = 0
    for _ in range(_MAX_ITEMS):
        if at + 4 > len(data):
            break
        kind, length = data[at], data[at + 2] << 8 | data[at + 3]
        value = data[at + 4 : at + 4 + length]
        at += 4 + length
        if kind in (_PRESENTATION, _USER) and depth == 0:
            inner = _items(value[4:] if kind == _PRESENTATION else value, 1)
            uid, name = uid or inner[0], name or inner[1]
            classes.extend(inner[2])
        elif kind == _ABSTRACT_SYNTAX:
            classes.append(_title(value))
        elif kind == _IMPLEMENTATION_UID:
            uid = _title(value)
        elif kind == _IMPLEMENTATION_NAME:
            name = _title(value)
    return uid, name, classes


def _command(packet: Packet, data: bytes) -> Iterator[Dicom]:
    """Group 0000 in Implicit VR Little Endian (PS3.7 §6.3.1); no other group is looked at."""
    at, message, sop_class = 0, "", ""
    while at + 8 <= len(data):
        group, element, length = struct.unpack_from("<HHI", data, at)
        value = data[at + 8 : at + 8 + length]
        at += 8 + length
        if group != 0:
            break
        if element == _COMMAND_ELEMENT and len(value) == 2:
            number = value[0] | value[1] << 8
            message = _COMMANDS.get(number & ~_ANSWER, "")
            message += "_rsp" if message and number & _ANSWER else ""
        elif element in _CLASS_ELEMENTS:
            sop_class = sop_class or _title(value)
    if message:
        yield Dicom(**seen(packet), message=message, sop_class=sop_class)


def may_be_hl7(payload: bytes) -> bool:
    return payload.startswith(_MLLP_START)


def read_hl7(packet: Packet) -> Iterator[Hl7]:
    """MSH-3 to 6 and MSH-9; segments behind MSH, where patients are, are never looked at."""
    head = packet.payload[1:1025].split(b"\r", 1)[0]
    fields = head.split(head[3:4])
    if len(fields) >= 9:
        texts = [readable(fields[place], 64) for place in _MSH]
        yield Hl7(
            **seen(packet),
            sending_application=texts[0],
            sending_facility=texts[1],
            receiving_application=texts[2],
            receiving_facility=texts[3],
            message_type=texts[4],
        )
