"""An SMB2 session (MS-SMB2) as a Windows client holds it: log on, open, read, write, rename."""

from __future__ import annotations

import struct
from enum import IntEnum

from sample_pcaps import ntlm
from sample_pcaps.hospital import NETBIOS_DOMAIN
from sample_pcaps.tcp import Tcp

FSCTL_PIPE_TRANSCEIVE = 0x0011C017
FSCTL_QUERY_NETWORK_INTERFACE_INFO = 0x001401FC
MORE_PROCESSING = 0xC0000016
NO_FILE = b"\xff" * 16


class Command(IntEnum):
    NEGOTIATE = 0
    SESSION_SETUP = 1
    LOGOFF = 2
    TREE_CONNECT = 3
    TREE_DISCONNECT = 4
    CREATE = 5
    CLOSE = 6
    READ = 8
    WRITE = 9
    IOCTL = 11
    QUERY_DIRECTORY = 14
    SET_INFO = 17


class Smb2:
    """One session over one connection; every method sends a request and its answer."""

    def __init__(self, tcp: Tcp, dialect: int = 0x0302) -> None:
        self.tcp, self.dialect = tcp, dialect
        self.random = tcp.span.random
        self._message = 0
        self._session = 0
        self._tree = 0
        self._trees = 0
        self._paths: dict[str, int] = {}

    def log_on(self, user: str, domain: str = NETBIOS_DOMAIN) -> Smb2:
        """Negotiate and set up the session with NTLM."""
        client, server, tcp = self.tcp.client.host, self.tcp.server.host, self.tcp
        dialects = (0x0202, 0x0210, 0x0300, 0x0302)
        ask = struct.pack("<HHHHI", 36, len(dialects), 1, 0, 0x7F) + self.random.randbytes(16)
        ask += struct.pack("<Q4H", 0, *dialects)
        blob = ntlm.mech_list()
        now = ntlm.filetime(tcp.now)
        answer = struct.pack("<HHHH", 65, 1, self.dialect, 0) + self.random.randbytes(16)
        answer += struct.pack("<IIIIQQ", 0x7F, 1 << 20, 1 << 20, 1 << 20, now, 0)
        answer += struct.pack("<HHI", 128, len(blob), 0) + blob
        self._turn(Command.NEGOTIATE, ask, answer)
        token = ntlm.negotiate(client)
        back = ntlm.challenge(server, tcp.now, self.random)
        head = struct.pack("<HBBIIHHQ", 25, 0, 1, 1, 0, 88, len(token), 0)
        answer = struct.pack("<HHHH", 9, 0, 72, len(back)) + back
        message = self._message
        tcp.send(self._packet(Command.SESSION_SETUP, head + token, 0, message))
        self._session = self.random.randrange(1 << 20, 1 << 44) << 2 | 1
        reply = self._packet(Command.SESSION_SETUP, answer, 1, message, status=MORE_PROCESSING)
        tcp.reply(reply)
        self._message += 1
        token = ntlm.authenticate(client, server, user, tcp.now, self.random, domain)
        head = struct.pack("<HBBIIHHQ", 25, 0, 1, 1, 0, 88, len(token), 0)
        back = ntlm.accepted()
        answer = struct.pack("<HHHH", 9, 0, 72, len(back)) + back
        self._turn(Command.SESSION_SETUP, head + token, answer)
        return self

    def tree(self, share: str) -> Smb2:
        """Connect to a share of the server, or go back to one."""
        if share in self._paths:
            self._tree = self._paths[share]
            return self
        path = f"\\\\{self.tcp.server.host.ip}\\{share}".encode("utf-16-le")
        ask = struct.pack("<HHHH", 9, 0, 72, len(path)) + path
        kind = 2 if share == "IPC$" else 1
        answer = struct.pack("<HBBIII", 16, kind, 0, 0x30, 0, 0x001F01FF)
        self._trees += 1
        message, self._tree = self._message, 0
        self.tcp.send(self._packet(Command.TREE_CONNECT, ask, 0, message))
        self._tree = self._paths[share] = self._trees
        self.tcp.reply(self._packet(Command.TREE_CONNECT, answer, 1, message))
        self._message += 1
        return self

    def create(
        self,
        name: str,
        *,
        disposition: int = 1,
        access: int = 0x00120089,
        directory: bool = False,
        size: int = 0,
        status: int = 0,
    ) -> bytes:
        """Open (disposition 1), create (2) or overwrite (5) a file; returns its id."""
        path = name.encode("utf-16-le")
        options, attributes = (0x21, 0x10) if directory else (0x60, 0x80)
        ask = struct.pack("<HBBIQQ", 57, 0, 9 if not directory else 0, 2, 0, 0)
        ask += struct.pack(
            "<IIIII", access, 0x80 if disposition != 1 else 0, 7, disposition, options
        )
        ask += struct.pack("<HHII", 120, len(path), 0, 0) + (path or b"\0")
        if status:
            answer = struct.pack("<HBBI", 9, 0, 0, 0) + b"\0"
            self._turn(Command.CREATE, ask, answer, status=status)
            return NO_FILE
        times = (ntlm.filetime(self.tcp.now) - 10**12,) * 4
        file_id = self.random.randbytes(8) + struct.pack("<Q", self._message)
        answer = struct.pack(
            "<HBBI4QQQII", 89, 0, 0, disposition, *times, size, size, attributes, 0
        )
        self._turn(Command.CREATE, ask, answer + file_id + struct.pack("<II", 0, 0))
        return file_id

    def read(self, file_id: bytes, data: bytes, offset: int = 0, *, cut: int = 0) -> None:
        ask = struct.pack("<HBBIQ", 49, 80, 0, len(data), offset) + file_id
        ask += struct.pack("<IIIHH", 0, 0, 0, 0, 0) + b"\0"
        answer = struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data
        self._turn(Command.READ, ask, answer, cut=cut)

    def write(self, file_id: bytes, data: bytes, offset: int = 0, *, cut: int = 0) -> None:
        ask = struct.pack("<HHIQ", 49, 112, len(data), offset) + file_id
        ask += struct.pack("<IIHHI", 0, 0, 0, 0, 0) + data
        self._turn(Command.WRITE, ask, struct.pack("<HHIIHH", 17, 0, len(data), 0, 0, 0), cut=cut)

    def rename(self, file_id: bytes, name: str) -> None:
        """SET_INFO, FileRenameInformation."""
        path = name.encode("utf-16-le")
        body = struct.pack("<B7xQI", 0, 0, len(path)) + path
        ask = struct.pack("<HBBIHHI", 33, 1, 10, len(body), 96, 0, 0) + file_id + body
        self._turn(Command.SET_INFO, ask, struct.pack("<H", 2))

    def delete(self, file_id: bytes) -> None:
        """SET_INFO, FileDispositionInformation."""
        ask = struct.pack("<HBBIHHI", 33, 1, 13, 1, 96, 0, 0) + file_id + b"\x01"
        self._turn(Command.SET_INFO, ask, struct.pack("<H", 2))

    def list(self, folder_id: bytes, names: list[str]) -> None:
        """QUERY_DIRECTORY with FileNamesInformation."""
        pattern = "*".encode("utf-16-le")
        ask = struct.pack("<HBBI", 33, 12, 0, 0) + folder_id
        ask += struct.pack("<HHI", 96, len(pattern), 65536) + pattern
        entries = b""
        for index, name in enumerate(names):
            encoded = name.encode("utf-16-le")
            size = 12 + len(encoded)
            padded = size + -size % 8
            following = 0 if index == len(names) - 1 else padded
            entry = struct.pack("<III", following, 0, len(encoded)) + encoded
            entries += entry.ljust(padded, b"\0") if following else entry
        answer = struct.pack("<HHI", 9, 72, len(entries)) + entries
        self._turn(Command.QUERY_DIRECTORY, ask, answer)

    def ioctl(self, file_id: bytes, code: int, given: bytes, returned: bytes) -> None:
        ask = struct.pack("<HHI", 57, 0, code) + file_id
        ask += struct.pack("<IIIIIIII", 120, len(given), 0, 0, 0, 65536, 1, 0) + given
        answer = struct.pack("<HHI", 49, 0, code) + file_id
        answer += struct.pack("<IIIIII", 112, 0, 112, len(returned), 0, 0) + returned
        self._turn(Command.IOCTL, ask, answer)

    def close(self, file_id: bytes) -> None:
        ask = struct.pack("<HHI", 24, 0, 0) + file_id
        self._turn(Command.CLOSE, ask, struct.pack("<HHI4QQQI", 60, 0, 0, 0, 0, 0, 0, 0, 0, 0))

    def log_off(self) -> Tcp:
        self._turn(Command.TREE_DISCONNECT, struct.pack("<HH", 4, 0), struct.pack("<HH", 4, 0))
        self._turn(Command.LOGOFF, struct.pack("<HH", 4, 0), struct.pack("<HH", 4, 0))
        return self.tcp.close()

    def _turn(
        self, command: int, ask: bytes, answer: bytes, *, status: int = 0, cut: int = 0
    ) -> None:
        message = self._message
        self.tcp.send(self._packet(command, ask, 0, message), cut=cut)
        self.tcp.reply(self._packet(command, answer, 1, message, status=status), cut=cut)
        self._message += 1
        self.tcp.wait(self.random.uniform(0.0003, 0.002))

    def _packet(
        self, command: int, body: bytes, flags: int, message: int, *, status: int = 0
    ) -> bytes:
        charge = max(1, -(-len(body) // 65536))
        head = b"\xfeSMB" + struct.pack("<HHIHHII", 64, charge, status, command, 31, flags, 0)
        head += struct.pack("<QIIQ16x", message, 0xFEFF, self._tree, self._session)
        return struct.pack("!I", len(head) + len(body)) + head + body


def interface_info(addresses: list[tuple[int, str]], speed: int = 1_000_000_000) -> bytes:
    """Answer to FSCTL_QUERY_NETWORK_INTERFACE_INFO: (interface index, IPv4) of every adapter."""
    out = b""
    for position, (index, address) in enumerate(addresses):
        following = 0 if position == len(addresses) - 1 else 152
        packed = bytes(int(part) for part in address.split("."))
        socket_address = struct.pack("<HH", 2, 0) + packed
        out += struct.pack("<IIIIQ", following, index, 0, 0, speed)
        out += socket_address.ljust(128, b"\0")
    return out
