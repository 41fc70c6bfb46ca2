"""One AF_PACKET socket with a TPACKET_V3 ring, read block by block without copying.

Needs CAP_NET_RAW and nothing else. Facts: packet(7) and the kernel's packet_mmap document.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import select
import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.capture.chunk import INDEX_DTYPE, Chunk
from collector.live import kernels
from collector.packet import PICK_DTYPE
from collector.rows import copy_rows

_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _RESERVE, _FANOUT = 1, 5, 6, 10, 12, 18
_TPACKET_V3: Final = 2
_PROMISCUOUS: Final = 1
_FANOUT_HASH, _FANOUT_DEFRAG = 0, 0x8000
_ALL_PROTOCOLS: Final = 3
_GET_FLAGS: Final = 0x8913
_IS_UP, _IS_RUNNING = 0x1, 0x40
#: Small blocks: each comes after its retire time at the latest, so that few would be used up soon
#: by a trickle of packets.
_BLOCK: Final = 1 << 18
_FRAME: Final = 2048
_RETIRE_MS: Final = 60
_RECENT: Final = 1 << 16
#: What holds one chunk: so many packets, or so many blocks.
_CHUNK_PACKETS, _CHUNK_BLOCKS = 65_536, 16
#: ARPHRD_* of the interface → LINKTYPE_*: Ethernet and loopback; a bare IP tunnel.
_LINK_TYPES: Final = {1: 1, 772: 1, 65534: 101, 768: 101, 776: 101, 778: 101}


@dataclass(frozen=True)
class RingCounts:
    """Packets since the ring was opened: handed over by the kernel, and lost for want of room."""

    received: int = 0
    dropped: int = 0


class Ring:
    """A ring on one interface; rings of one fan-out group share its packets, flow by flow."""

    def __init__(
        self,
        interface: str,
        *,
        ring_bytes: int,
        is_promiscuous: bool = True,
        fanout_group: int = 0,
        duplicates_within_ns: int = 0,
    ) -> None:
        """Open it; OSError names what is missing (the interface, or the right to capture)."""
        self._within_ns = duplicates_within_ns
        self._keeps_outgoing = interface != "lo"  # there, every packet is shown twice
        self._blocks = max(4, ring_bytes // _BLOCK)
        self._next = 0
        self._held: list[int] = []
        self._counts = np.zeros(4, np.int64)
        self._recent = np.zeros(_RECENT, kernels.RECENT_DTYPE)
        self._received = self._dropped = 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._prepare(interface, is_promiscuous, fanout_group)
        except BaseException:
            self._socket.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)

    def _prepare(self, interface: str, is_promiscuous: bool, fanout_group: int) -> None:
        number = socket.if_nametoindex(interface)
        if not interface_flags(interface) & _IS_UP:
            raise OSError(errno.ENETDOWN, "the interface is switched off")
        packet = self._socket
        packet.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        packet.setsockopt(_SOL_PACKET, _RESERVE, 4)
        frames = self._blocks * _BLOCK // _FRAME
        ring = struct.pack("7I", _BLOCK, self._blocks, _FRAME, frames, _RETIRE_MS, 0, 0)
        packet.setsockopt(_SOL_PACKET, _RX_RING, ring)
        self._map = mmap.mmap(packet.fileno(), self._blocks * _BLOCK)
        self._bytes: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8)
        packet.bind((interface, _ALL_PROTOCOLS))
        if is_promiscuous:
            wish = struct.pack("iHH8s", number, _PROMISCUOUS, 0, b"")
            packet.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, wish)
        if fanout_group:
            group = fanout_group & 0xFFFF | (_FANOUT_HASH | _FANOUT_DEFRAG) << 16
            packet.setsockopt(_SOL_PACKET, _FANOUT, struct.pack("I", group))
        hardware = packet.getsockname()[3]
        if hardware not in _LINK_TYPES:
            raise OSError(f"{interface}: packets of hardware type {hardware} are not understood")
        self._link_type = _LINK_TYPES[hardware]

    def wait(self, timeout_ms: int) -> bool:
        """Wait for a block; False if none came. OSError if the interface went away."""
        if kernels.is_ready(self._bytes, self._next * _BLOCK):
            return True
        events = self._poll.poll(timeout_ms)
        if any(event & select.POLLERR for _, event in events):
            fault = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if fault:
                raise OSError(fault, "the interface went away")
        return bool(kernels.is_ready(self._bytes, self._next * _BLOCK))

    def read(self) -> Chunk:
        """The packets that are there; they stay where they are until `release`."""
        index = np.empty(_CHUNK_PACKETS, INDEX_DTYPE)
        count = 0
        while len(self._held) < min(_CHUNK_BLOCKS, self._blocks - 1):
            at = self._next * _BLOCK
            if not kernels.is_ready(self._bytes, at):
                break
            if count and count + kernels.packets_in(self._bytes, at) > len(index):
                break
            count = kernels.index_block(
                self._bytes, at, _BLOCK, index, count, self._recent, self._within_ns,
                self._keeps_outgoing, self._link_type, self._counts,
            )  # fmt: skip
            self._held.append(at)
            self._next = (self._next + 1) % self._blocks
        return Chunk(self._bytes, index[:count])

    def release(self) -> None:
        """Give the blocks of the last `read` back."""
        for at in self._held:
            kernels.release(self._bytes, at)
        self._held.clear()

    def statistics(self) -> RingCounts:
        """What the kernel counted; it starts anew at each asking, so the sums are kept here."""
        received, dropped, _ = struct.unpack(
            "3I", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        )
        self._received += received
        self._dropped += dropped
        return RingCounts(self._received, self._dropped)

    @property
    def seen(self) -> int:
        return int(self._counts[kernels.SEEN])

    @property
    def wire_bytes(self) -> int:
        return int(self._counts[kernels.WIRE_BYTES])

    @property
    def duplicates(self) -> int:
        """Packets that were a copy of another, and left out."""
        return int(self._counts[kernels.DUPLICATES])

    @property
    def last_ns(self) -> int:
        """Time of the last packet, 0 if none came."""
        return int(self._counts[kernels.LAST_NS])

    def close(self) -> None:
        self._socket.close()
        # Views of the ring may live on in picks that were not copied: the map goes with the last.
        self._bytes = np.zeros(_BLOCK, np.uint8)


def warm_up() -> None:
    """Load the compiled loops, which takes a moment in which a ring would run full."""
    block = np.zeros(64, np.uint8)
    kernels.is_ready(block, 0)
    kernels.release(block, 0)
    kernels.packets_in(block, 0)
    index, recent = np.empty(1, INDEX_DTYPE), np.zeros(1, kernels.RECENT_DTYPE)
    kernels.index_block(block, 0, 64, index, 0, recent, 0, True, 1, np.zeros(4, np.int64))
    gathered(block, np.zeros(1, PICK_DTYPE))


def interface_flags(interface: str) -> int:
    """Its IFF_* flags (netdevice(7)); OSError if there is no such interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("16sH14s", interface.encode(), 0, b"")
        answer = fcntl.ioctl(asking.fileno(), _GET_FLAGS, request)
    return int(struct.unpack("16sH14s", answer)[1])


def has_carrier(interface: str) -> bool:
    """Is something at the other end of the cable?"""
    return bool(interface_flags(interface) & _IS_RUNNING)


def gathered(buffer: NDArray[np.uint8], picks: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The picked frames alone, copied out of the ring, and the picks with offsets into them."""
    picks = copy_rows(picks)
    room = np.empty(int(picks["frame_length"].sum(dtype=np.int64)), np.uint8)
    used = kernels.gather(buffer, picks, room)
    return room[:used], picks
