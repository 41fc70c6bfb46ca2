"""DICOM (PS3.7, PS3.8) and HL7 v2 read from the packet itself; no patient's value is kept."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from collector.decoders.decoder import seen
from collector.decoders.wire import readable
from collector.packet import Packet
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


def read_dicom(packet: Packet) -> Iterator[Dicom]:
    """An association's names and classes, or the command that a message starts with."""
    data = packet.payload
    if data[0] == _DATA:
        yield from _command(packet)
    elif data[0] == 3:
        yield Dicom(**seen(packet), message="associate_rj")
    else:
        uid, name, classes = _items(data[74:], 0)
        yield Dicom(
            **seen(packet),
            message=_ASSOCIATIONS[data[0]],
            called_ae=_title(data[10:26]),
            calling_ae=_title(data[26:42]),
            implementation=" ".join(part for part in (uid, name) if part),
            sop_class=classes[0] if classes else "",
        )


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


def _command(packet: Packet) -> Iterator[Dicom]:
    """Group 0000 in Implicit VR Little Endian (PS3.7 §6.3.1); no other group is looked at."""
    data = packet.payload
    stop = min(len(data), 10 + struct.unpack_from("!I", data, 6)[0])
    at, message, sop_class = 12, "", ""
    while at + 8 <= stop:
        group, element, length = struct.unpack_from("<HHI", data, at)
        value = data[at + 8 : min(at + 8 + length, stop)]
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
        texts = [readable(field, 64) for field in fields]
        yield Hl7(
            **seen(packet),
            sending_application=texts[2],
            sending_facility=texts[3],
            receiving_application=texts[4],
            receiving_facility=texts[5],
            message_type=texts[8],
        )
