"""DCERPC over named pipes: bind, request and response, and the calls PsExec makes (MS-SCMR)."""

from __future__ import annotations

import struct
from uuid import UUID

from sample_pcaps.smb2 import FSCTL_PIPE_TRANSCEIVE, Smb2

SVCCTL = (UUID("367abb81-9844-35f1-ad32-98f038001003"), 2)
SRVSVC = (UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3)
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)


class Pipe:
    """A named pipe opened on IPC$ and bound to one interface."""

    def __init__(self, smb: Smb2, name: str, interface: tuple[UUID, int]) -> None:
        self.smb, self._call = smb, 1
        self.file_id = smb.tree("IPC$").create(name, access=0x0012019F)
        abstract = interface[0].bytes_le + struct.pack("<HH", interface[1], 0)
        body = struct.pack("<HHIB3x", 4280, 4280, 0, 1)
        body += struct.pack("<HBx", 0, 1) + abstract + _NDR
        smb.write(self.file_id, self._packet(11, body))
        address = f"\\PIPE\\{name}".encode() + b"\0"
        back = struct.pack("<HHIH", 4280, 4280, 0x1234, len(address)) + address
        back += b"\0" * (-len(back) % 4) + struct.pack("<B3xHH", 1, 0, 0) + _NDR
        smb.read(self.file_id, self._packet(12, back))

    def call(self, operation: int, stub: bytes, answer: bytes) -> None:
        self._call += 1
        ask = struct.pack("<IHH", len(stub), 0, operation) + stub
        back = struct.pack("<IHBx", len(answer), 0, 0) + answer
        given, returned = self._packet(0, ask), self._packet(2, back)
        self.smb.tree("IPC$").ioctl(self.file_id, FSCTL_PIPE_TRANSCEIVE, given, returned)

    def close(self) -> None:
        self.smb.tree("IPC$").close(self.file_id)

    def _packet(self, kind: int, body: bytes) -> bytes:
        head = struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, self._call)
        return head + body


class ServiceControl(Pipe):
    """The service control manager's pipe."""

    def __init__(self, smb: Smb2) -> None:
        super().__init__(smb, "svcctl", SVCCTL)
        self._manager = b"\0" * 4 + smb.random.randbytes(16)
        self._service = b"\0" * 4 + smb.random.randbytes(16)

    def open_manager(self, server: str) -> None:
        """OpenSCManagerW (15)."""
        stub = struct.pack("<I", 0x20000) + _wide(server) + struct.pack("<II", 0, 0xF003F)
        self.call(15, stub, self._manager + struct.pack("<I", 0))

    def create_service(self, name: str, path: str) -> None:
        """CreateServiceW (12), demand start, own process."""
        stub = self._manager + _wide(name) + struct.pack("<I", 0x20004) + _wide(name)
        stub += struct.pack("<IIII", 0xF01FF, 0x10, 3, 0) + _wide(path)
        stub += struct.pack("<IIIIIII", 0, 0, 0, 0, 0, 0, 0)
        self.call(12, stub, struct.pack("<I", 0) + self._service + struct.pack("<I", 0))

    def start_service(self) -> None:
        """StartServiceW (19) without arguments."""
        self.call(19, self._service + struct.pack("<II", 0, 0), struct.pack("<I", 0))

    def close_service(self) -> None:
        """CloseServiceHandle (0)."""
        self.call(0, self._service, b"\0" * 20 + struct.pack("<I", 0))


def _wide(value: str) -> bytes:
    """A conformant varying string of wide characters, padded to four bytes."""
    encoded = (value + "\0").encode("utf-16-le")
    count = len(encoded) // 2
    return struct.pack("<III", count, 0, count) + encoded + b"\0" * (-len(encoded) % 4)
