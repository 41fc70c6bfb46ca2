"""Receive many UDP datagrams with one call of the kernel (recvmmsg), into a ring."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.live.receiving_kernels import (
    BYTES_TAKEN,
    STOP,
    TAKEN,
    TRUNCATED,
    WRITTEN,
    receive_all,
)

_AT_ONCE: Final = 512
#: Datagrams, and their bytes, that may wait for their reader; past them the kernel's buffer fills.
_MOST: Final = 1 << 16
_RING: Final = 64 << 20
_HANDED: Final = 1 << 10  # at most, with one `receive`: their flows fit into a cache
_NAP_S: Final = 0.002
_STOPS_WITHIN_MS: Final = 200
#: No exporter sends longer ones: a jumbo frame holds 9,000 bytes.
_LONGEST: Final = 9216
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
    """One UDP socket, read by a compiled thread. `receive` overwrites what it returned before."""

    def __init__(self, address: str, port: int, buffer_bytes: int) -> None:
        """Bind and begin; OSError names the address and what is wrong with it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            wait = struct.pack("ll", 0, _STOPS_WITHIN_MS * 1000)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
            self._socket.bind((address, port))
        except OSError as fault:
            self._socket.close()
            raise OSError(fault.errno, f"{address} port {port}: {fault.strerror}") from None
        self._is_v6 = family == socket.AF_INET6
        self._ring = np.empty(_RING, np.uint8)
        self._index = np.zeros((_MOST, 3), np.int64)
        self._senders = np.zeros((_MOST, _NAME), np.uint8)
        self._state = np.zeros(8, np.int64)
        self._handed = self._truncated = 0
        self._state[STOP] = 1
        self._run()  # compiles, or loads, before the first datagram
        self._state[STOP] = 0
        self._thread = threading.Thread(target=self._run, name=f"receive {port}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        slots = np.zeros((_AT_ONCE, _LONGEST), np.uint8)
        names = np.zeros((_AT_ONCE, _NAME), np.uint8)
        vectors = np.zeros((_AT_ONCE, 2), np.uint64)
        steps = np.arange(_AT_ONCE, dtype=np.uint64)
        vectors[:, 0] = slots.ctypes.data + steps * np.uint64(_LONGEST)
        vectors[:, 1] = _LONGEST
        messages = np.zeros(_AT_ONCE, _MESSAGE)
        messages["name"] = names.ctypes.data + steps * np.uint64(_NAME)
        messages["name_length"] = _NAME
        messages["vector"] = vectors.ctypes.data + steps * np.uint64(16)
        messages["vectors"] = 1
        receive_all(
            self._socket.fileno(), messages, messages.ctypes.data, slots, names, self._ring,
            self._index, self._senders, self._state,
        )  # fmt: skip

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def room(self) -> int:
        """Bytes that the kernel keeps for us; it may have given less than was asked."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def receive(self, timeout_ms: int) -> Received | None:
        """What is there, or comes within the time; None if nothing did."""
        state, index = self._state, self._index
        if self._handed:  # the reader is done with these
            last = (int(state[TAKEN]) + self._handed - 1) % _MOST
            state[BYTES_TAKEN] = index[last, 2]
            state[TAKEN] += self._handed
            self._handed = 0
        until = time.monotonic() + timeout_ms / 1000
        while not (waiting := int(state[WRITTEN] - state[TAKEN])):
            if time.monotonic() >= until:
                return None
            time.sleep(_NAP_S)
        first = int(state[TAKEN]) % _MOST
        self._handed = min(waiting, _HANDED, _MOST - first)
        told = index[first : first + self._handed]
        sender, port = _senders(self._senders[first : first + self._handed], self._is_v6)
        truncated, self._truncated = int(state[TRUNCATED]) - self._truncated, int(state[TRUNCATED])
        return Received(self._ring, told[:, 0].copy(), told[:, 1].copy(), sender, port, truncated)

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
        self._state[STOP] = 1
        self._thread.join()
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
