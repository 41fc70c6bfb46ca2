"""Receive many UDP datagrams with one call of the kernel (recvmmsg), into one buffer."""

from __future__ import annotations

import ctypes
import os
import select
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_AT_ONCE: Final = 512
#: No exporter sends longer ones: a jumbo frame holds 9,000 bytes.
_LONGEST: Final = 9216
_DONT_WAIT: Final = 0x40
_TRUNCATED: Final = 0x20
_NAME: Final = 28  # struct sockaddr_in6
_V4_MAPPED: Final = np.uint64(0xFFFF_0000_0000)
#: struct mmsghdr of a 64-bit Linux.
_MESSAGE: Final = np.dtype(
    [
        ("name", "u8"),
        ("name_length", "u4"),
        ("_1", "u4"),
        ("vector", "u8"),
        ("vectors", "u8"),
        ("control", "u8"),
        ("control_length", "u8"),
        ("flags", "u4"),
        ("_2", "u4"),
        ("length", "u4"),
        ("_3", "u4"),
    ]
)


@dataclass(frozen=True)
class Received:
    """Datagrams side by side; columns as `exports.batch.Datagrams` has them."""

    buffer: NDArray[np.uint8]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    sender: NDArray[np.uint64]  # (n, 2)
    port: NDArray[np.uint16]
    truncated: int


class Receiver:
    """One UDP socket. What `receive` returns is overwritten by the next call."""

    def __init__(self, address: str, port: int, buffer_bytes: int) -> None:
        """Bind; OSError names the address and what is wrong with it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            self._socket.bind((address, port))
        except OSError as fault:
            self._socket.close()
            raise OSError(fault.errno, f"{address} port {port}: {fault.strerror}") from None
        self._is_v6 = family == socket.AF_INET6
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._receive = ctypes.CDLL(None, use_errno=True).recvmmsg
        self._make_room()

    def _make_room(self) -> None:
        self._buffer = np.zeros(_AT_ONCE * _LONGEST, np.uint8)
        self._names = np.zeros((_AT_ONCE, _NAME), np.uint8)
        self._vectors = np.zeros((_AT_ONCE, 2), np.uint64)
        self._offsets = np.arange(_AT_ONCE, dtype=np.int64) * _LONGEST
        self._vectors[:, 0] = self._buffer.ctypes.data + self._offsets.astype(np.uint64)
        self._vectors[:, 1] = _LONGEST
        self._messages = np.zeros(_AT_ONCE, _MESSAGE)
        steps = np.arange(_AT_ONCE, dtype=np.uint64)
        self._messages["name"] = self._names.ctypes.data + steps * np.uint64(_NAME)
        self._messages["vector"] = self._vectors.ctypes.data + steps * np.uint64(16)
        self._messages["vectors"] = 1

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def room(self) -> int:
        """Bytes that the kernel keeps for us; it may have given less than was asked."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def receive(self, timeout_ms: int) -> Received | None:
        """What is there, or comes within the time; None if nothing did."""
        if not self._poll.poll(timeout_ms):
            return None
        self._messages["name_length"] = _NAME
        count = self._receive(
            self._socket.fileno(),
            ctypes.c_void_p(self._messages.ctypes.data),
            _AT_ONCE,
            _DONT_WAIT,
            None,
        )
        if count <= 0:
            return None
        told = self._messages[:count]
        sender, port = _senders(self._names[:count], self._is_v6)
        truncated = int(np.count_nonzero(told["flags"] & _TRUNCATED))
        length = told["length"].astype(np.int64)
        return Received(self._buffer, self._offsets[:count], length, sender, port, truncated)

    def dropped(self) -> int:
        """Datagrams that found the kernel's buffer full, since the socket was opened."""
        inode = str(os.fstat(self._socket.fileno()).st_ino)
        table = Path("/proc/self/net") / ("udp6" if self._is_v6 else "udp")
        for line in table.read_text().splitlines()[1:]:
            words = line.split()
            if words[9] == inode:
                return int(words[-1])
        return 0

    def close(self) -> None:
        self._socket.close()


def _senders(names: NDArray[Any], is_v6: bool) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """(n, 2) addresses as flows carry them, and ports, of struct sockaddr_in or _in6."""
    port = names[:, 2].astype(np.uint16) << 8 | names[:, 3]
    sender = np.zeros((len(names), 2), np.uint64)
    if is_v6:
        sender[:] = np.ascontiguousarray(names[:, 8:24]).view(">u8")
    else:
        sender[:, 1] = np.ascontiguousarray(names[:, 4:8]).view(">u4")[:, 0] | _V4_MAPPED
    return sender, port
