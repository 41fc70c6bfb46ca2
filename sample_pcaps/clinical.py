"""The hospital's own conversations: DICOM (PS3.7, PS3.8) and HL7 v2 over MLLP.

All patients are invented: their family name is テスト and their numbers start with 9999.
"""

from __future__ import annotations

import struct
import time

from sample_pcaps.hospital import HOSTS, Host
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import Span

CT_STORE = "1.2.840.10008.5.1.4.1.1.2"
MR_STORE = "1.2.840.10008.5.1.4.1.1.4"
DX_STORE = "1.2.840.10008.5.1.4.1.1.1.1"
US_STORE = "1.2.840.10008.5.1.4.1.1.6.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
VERIFICATION = "1.2.840.10008.1.1"
_ROOT = "1.2.826.0.1.3680043.10.9999"
_APPLICATION, _LITTLE = "1.2.840.10008.3.1.1.1", "1.2.840.10008.1.2"
STORES = {"CT1": CT_STORE, "CT2": CT_STORE, "MR1": MR_STORE, "DR1": DX_STORE, "US1": US_STORE}


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", kind, 0, len(body)) + body


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBI", kind, 0, len(body)) + body


def _element(group: int, element: int, value: bytes, pad: bytes = b"\0") -> bytes:
    value += pad * (len(value) % 2)
    return struct.pack("<HHI", group, element, len(value)) + value


def _command(values: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(_element(0, element, value) for element, value in values)
    return _element(0, 0, struct.pack("<I", len(body))) + body


def _short(value: int) -> bytes:
    return struct.pack("<H", value)


class Association:
    """One DICOM association; implicit little endian, one presentation context."""

    def __init__(
        self, span: Span, at: int, client: Host, server: Host, sop_class: str, *, mss: int = 0
    ) -> None:
        self.sop_class, self._message = sop_class, 0
        self.tcp = Tcp(span, client, server, 104, at, mss=mss).open()
        self.tcp.send(_pdu(1, self._associate(client, server, 0x20))).wait(0.003)
        self.tcp.reply(_pdu(2, self._associate(client, server, 0x21)))

    def _associate(self, client: Host, server: Host, kind: int) -> bytes:
        body = struct.pack("!HH", 1, 0) + server.name.ljust(16).encode()
        body += client.name.ljust(16).encode() + b"\0" * 32 + _item(0x10, _APPLICATION.encode())
        context = struct.pack("!BBBB", 1, 0, 0, 0)
        if kind == 0x20:
            context += _item(0x30, self.sop_class.encode())
        body += _item(kind, context + _item(0x40, _LITTLE.encode()))
        user = _item(0x51, struct.pack("!I", 16384)) + _item(0x52, f"{_ROOT}.1".encode())
        return body + _item(0x50, user + _item(0x55, b"SAMPLE_1_0"))

    def _values(self, data: bytes, is_command: bool, *, from_server: bool, cut: int = 0) -> None:
        flags = (1 if is_command else 0) | 2
        piece = struct.pack("!IBB", len(data) + 2, 1, flags) + data
        stream = self.tcp.reply if from_server else self.tcp.send
        stream(_pdu(4, piece), cut=cut)

    def store(self, size: int, *, cut: int = 0) -> None:
        """C-STORE of one instance of about `size` bytes."""
        self._message += 1
        number = _short(self._message)
        instance = f"{_ROOT}.{self.tcp.now // 1000}.{self._message}".encode()
        sop = self.sop_class.encode()
        wanted = [(2, sop), (0x100, _short(1)), (0x110, number), (0x700, _short(0)),
                  (0x800, _short(1)), (0x1000, instance)]  # fmt: skip
        self._values(_command(wanted), True, from_server=False)
        head = _element(8, 0x16, sop) + _element(8, 0x18, instance)
        head += _element(0x10, 0x10, b"TEST^TARO", b" ") + _element(0x10, 0x20, b"99990001", b" ")
        sent = 0
        pixels = bytes(range(256)) * 64
        while sent < size:
            last = sent + 16000 >= size
            part = head if sent == 0 else b""
            chunk = pixels[: min(16000, size - sent)]
            if sent == 0:
                chunk = struct.pack("<HHI", 0x7FE0, 0x10, size + size % 2) + chunk
            body = struct.pack("!IBB", len(part + chunk) + 2, 1, 2 if last else 0) + part + chunk
            self.tcp.send(_pdu(4, body), cut=cut)
            sent += 16000
        done = [(2, sop), (0x100, _short(0x8001)), (0x120, number), (0x800, _short(0x101)),
                (0x900, _short(0)), (0x1000, instance)]  # fmt: skip
        self.tcp.wait(0.01)
        self._values(_command(done), True, from_server=True)

    def find(self, found: int) -> None:
        """C-FIND with `found` matches, then success."""
        self._message += 1
        number, sop = _short(self._message), self.sop_class.encode()
        ask = [(2, sop), (0x100, _short(0x20)), (0x110, number), (0x700, _short(0)),
               (0x800, _short(1))]  # fmt: skip
        self._values(_command(ask), True, from_server=False)
        today = time.strftime("%Y%m%d", time.gmtime(self.tcp.now // 10**9 + 32400)).encode()
        key = _element(8, 0x20, today, b" ") + _element(8, 0x60, b"CT")
        self._values(key, False, from_server=False)
        self.tcp.wait(0.02)
        for index in range(found + 1):
            status, follows = (0xFF00, 1) if index < found else (0, 0x101)
            back = [(2, sop), (0x100, _short(0x8020)), (0x120, number), (0x800, _short(follows)),
                    (0x900, _short(status))]  # fmt: skip
            self._values(_command(back), True, from_server=True)
            if index < found:
                patient = f"9999{index:04}".encode()
                match = key + _element(0x10, 0x10, b"TEST^HANAKO", b" ")
                self._values(match + _element(0x10, 0x20, patient, b" "), False, from_server=True)

    def release(self) -> int:
        self.tcp.send(_pdu(5, b"\0" * 4)).wait(0.002)
        self.tcp.reply(_pdu(6, b"\0" * 4))
        return self.tcp.close().now


def store(span: Span, at: int, modality: Host, pacs: Host, images: int, size: int) -> int:
    """A modality sends a series."""
    association = Association(span, at, modality, pacs, STORES.get(modality.name, CT_STORE))
    for _ in range(images):
        association.store(size, cut=64)
    return association.release()


def worklist(span: Span, at: int, modality: Host, found: int) -> int:
    """A modality asks the RIS what is ordered today."""
    association = Association(span, at, modality, HOSTS["RIS"], WORKLIST)
    association.find(found)
    return association.release()


def hl7(span: Span, at: int, sender: Host, receiver: Host, kind: str, count: int = 1) -> int:
    """HL7 messages over MLLP, each with its acknowledgement."""
    tcp = Tcp(span, sender, receiver, 2575, at).open()
    for index in range(count):
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(tcp.now // 10**9 + 32400))
        number = f"{span.random.randrange(10**8):08}"
        names = f"{sender.name}|MIMAWARI|{receiver.name}|MIMAWARI|{stamp}"
        lines = [f"MSH|^~\\&|{names}||{kind}|{number}|P|2.5"]
        patient = f"99990{span.random.randrange(1000):03}"
        lines.append(f"PID|1||{patient}^^^MIMAWARI||TEST^TARO^^^^^L||19000101|M")
        if kind.startswith("ORM"):
            lines += [f"ORC|NW|{number}", f"OBR|1|{number}||CHEST-XP^Chest X-ray^L"]
        elif kind.startswith("ORU"):
            lines += [f"OBR|1|{number}||CBC^Blood count^L", f"OBX|1|NM|WBC||{4000 + index}|/uL"]
        else:
            lines.append(f"PV1|1|I|3E^{301 + index}^1")
        tcp.send(b"\x0b" + "\r".join(lines).encode() + b"\r\x1c\r").wait(0.02)
        back = (
            f"MSH|^~\\&|{receiver.name}|MIMAWARI|{sender.name}|MIMAWARI|{stamp}||ACK|{number}|P|2.5"
        )
        tcp.reply(f"\x0b{back}\rMSA|AA|{number}\r\x1c\r".encode())
        tcp.wait(span.random.uniform(0.1, 0.6))
    return tcp.close().now
