"""TCP conversations with DCE/RPC in them, byte by byte: bare, in SMB1 and in (compounded) SMB2."""

from __future__ import annotations

import struct
from uuid import UUID

from collector.deep.lane import DeepLane
from collector.packet import Pick
from collector.sightings import Sighting
from tests.collector.feeder import picks_of

CLIENT, SERVER = "10.0.1.7", "10.0.2.9"
NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
NDR64 = UUID("71710533-beba-4937-8319-b5dbef9ccc36").bytes_le + struct.pack("<I", 1)
PIPE_TRANSCEIVE, NO_FILE = 0x0011C017, b"\xff" * 16


class Conversation:
    """Frames of one connection; `ask` and `answer` append one segment each."""

    def __init__(self, port: int, start_ns: int = 1_704_672_000_000_000_000) -> None:
        self.frames: list[tuple[int, int, bytes]] = []
        self._port, self._now = port, start_ns
        self._next = [1000, 5000]
        self._segment(0, b"", 2)
        self._segment(1, b"", 18)
        self._segment(0, b"", 16)

    def ask(self, payload: bytes) -> None:
        self._segment(0, payload, 24)

    def answer(self, payload: bytes) -> None:
        self._segment(1, payload, 24)

    def _segment(self, side: int, payload: bytes, flags: int) -> None:
        self._now += 1_000_000
        ends = [(bytes([2, 0, 0, 0, 0, 7]), CLIENT, 50000), (bytes([2] * 6), SERVER, self._port)]
        (mac, ip, port), (peer_mac, peer_ip, peer_port) = ends[side], ends[1 - side]
        head = struct.pack("!HHIIBBHHH", port, peer_port, self._next[side], self._next[1 - side],
                           0x50, flags, 64000, 0, 0)  # fmt: skip
        addresses = bytes(int(part) for part in f"{ip}.{peer_ip}".split("."))
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 1, 0x4000, 64, 6, 0)
        frame = peer_mac + mac + b"\x08\x00" + packet + addresses + head + payload
        self.frames.append((self._now, 1, frame))
        self._next[side] += len(payload) + (flags & 3 != 0)


def told_of(*conversations: Conversation) -> list[Sighting]:
    """What the deep lane tells of them, tshark reading."""
    frames = sorted(frame for said in conversations for frame in said.frames)
    lane = DeepLane()
    lane.feed(*picks_of(frames, Pick.DEEP))
    told = lane.drain()
    lane.close()
    assert not lane.blind
    assert not lane.shed
    return told


def bind(interface: str, version: int = 1, context: int = 0, syntaxes: tuple[bytes, ...] = (NDR,)):
    """A bind that offers one context a transfer syntax, as Windows does for NDR64."""
    body = struct.pack("<HHIB3x", 4280, 4280, 0, len(syntaxes))
    for number, syntax in enumerate(syntaxes, context):
        body += struct.pack("<HBx", number, 1) + UUID(interface).bytes_le
        body += struct.pack("<HH", version, 0) + syntax
    return _pdu(11, body)


def bound(chosen: tuple[bytes, ...] = (NDR,)) -> bytes:
    """The answer: each context takes this syntax, or is refused where it is empty."""
    body = struct.pack("<HHIH", 4280, 4280, 0x1234, 4) + b"135\0" + b"\0\0"
    body += struct.pack("<B3x", len(chosen))
    for syntax in chosen:
        body += struct.pack("<HH", 0 if syntax else 2, 0 if syntax else 2) + (syntax or b"\0" * 20)
    return _pdu(12, body)


def request(operation: int, stub: bytes = b"", context: int = 0, call: int = 2) -> bytes:
    return _pdu(0, struct.pack("<IHH", len(stub), context, operation) + stub, call)


def response(stub: bytes = b"", context: int = 0, call: int = 2) -> bytes:
    return _pdu(2, struct.pack("<IHBx", len(stub), context, 0) + stub, call)


def _pdu(kind: int, body: bytes, call: int = 1) -> bytes:
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, call) + body


def smb2(*commands: tuple[int, int, bytes, bool]) -> bytes:
    """One packet of (command, message, body, is_answer), compounded where there are several."""
    packed = b""
    for place, (command, message, body, is_answer) in enumerate(commands):
        is_last = place == len(commands) - 1
        padded = body if is_last else body + b"\0" * (-len(body) % 8)
        following = 0 if is_last else 64 + len(padded)
        packed += b"\xfeSMB" + struct.pack("<HHIHHII", 64, 1, 0, command, 31, is_answer, following)
        packed += struct.pack("<QIIQ16x", message, 0xFEFF, 1, 0x4001) + padded
    return struct.pack("!I", len(packed)) + packed


def open_pipe(said: Conversation, name: str, file_id: bytes, message: int) -> None:
    path = name.encode("utf-16-le")
    ask = struct.pack("<HBBIQQIIIII", 57, 0, 0, 2, 0, 0, 0x12019F, 0, 7, 1, 0x40)
    ask += struct.pack("<HHII", 120, len(path), 0, 0) + path
    said.ask(smb2((5, message, ask, False)))
    back = struct.pack("<HBBI4QQQII", 89, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x80, 0) + file_id
    said.answer(smb2((5, message, back + struct.pack("<II", 0, 0), True)))


def write(file_id: bytes, data: bytes) -> bytes:
    """The body of an SMB2 WRITE."""
    return struct.pack("<HHIQ", 49, 112, len(data), 0) + file_id + b"\0" * 16 + data


def read(file_id: bytes) -> bytes:
    return struct.pack("<HBBIQ", 49, 80, 0, 1024, 0) + file_id + b"\0" * 17


def transceive(file_id: bytes, data: bytes) -> bytes:
    """The body of FSCTL_PIPE_TRANSCEIVE."""
    ask = struct.pack("<HHI", 57, 0, PIPE_TRANSCEIVE) + file_id
    return ask + struct.pack("<IIIIIIII", 120, len(data), 0, 0, 0, 65536, 1, 0) + data


def read_answer(data: bytes) -> bytes:
    return struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data


def smb1(command: int, parameters: bytes, data: bytes = b"", is_answer: bool = False) -> bytes:
    """One SMB1 packet; `parameters` are whole words."""
    flags2 = 0xC801  # long names, NT status, Unicode
    head = b"\xffSMB" + struct.pack("<BIBH12xHHHH", command, 0, 0x98 if is_answer else 0x18, flags2,
                                    8, 0xFEFF, 0x800, 64)  # fmt: skip
    body = bytes([len(parameters) // 2]) + parameters + struct.pack("<H", len(data)) + data
    return struct.pack("!I", len(head) + len(body)) + head + body


def open_pipe1(said: Conversation, name: str, file_id: int) -> None:
    """NT_CREATE_ANDX and its answer."""
    path = ("\\" + name + "\0").encode("utf-16-le")
    ask = struct.pack("<BBHBHIIIQIIIIIB", 0xFF, 0, 0, 0, len(path) - 2, 0, 0, 0x2019F, 0, 0, 7, 1,
                      0, 2, 0)  # fmt: skip
    said.ask(smb1(0xA2, ask, b"\0" + path))
    back = struct.pack("<BBHBHI32xIQQHHB", 0xFF, 0, 0, 0, file_id, 1, 0x80, 0, 0, 2, 0xFF, 0)
    said.answer(smb1(0xA2, back, is_answer=True))


def transact1(file_id: int, data: bytes) -> bytes:
    """TRANSACTION, TransactNmPipe (MS-CIFS 2.2.5.6)."""
    name = "\\PIPE\\\0".encode("utf-16-le")
    at = 32 + 1 + 32 + 2 + 1 + len(name)
    padding = -at % 4
    words = struct.pack("<HHHHBBHIHHHHHBBHH", 0, len(data), 0, 1024, 0, 0, 0, 0, 0, 0,
                        at + padding, len(data), at + padding, 2, 0, 0x26, file_id)  # fmt: skip
    return smb1(0x25, words, b"\0" + name + b"\0" * padding + data)


def write1(file_id: int, data: bytes) -> bytes:
    """WRITE_ANDX, 14 words."""
    words = struct.pack(
        "<BBHHIIHHHHHI", 0xFF, 0, 0, file_id, 0, 0, 8, len(data), 0, len(data), 64, 0
    )
    return smb1(0x2F, words, b"\xee" + data)
