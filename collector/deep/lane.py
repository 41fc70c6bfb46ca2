"""The deep lane: control packets that the fast lane picked are dissected, and told as sightings."""

from __future__ import annotations

import os
import shutil
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.deep.accounts import read_kerberos, read_ntlm
from collector.deep.clinical import DicomReader, may_be_hl7, read_hl7
from collector.deep.clocks import may_tell_clock, read_clocks
from collector.deep.dcerpc import Carrier, read_dcerpc
from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.deep.kernels import BULK, CLOCK, DICOM, HL7, LDAP, PROGRAM, look_at
from collector.deep.ldap import may_be_ldap, read_ldap
from collector.deep.memory import Memory
from collector.deep.settings import DeepSettings
from collector.deep.smb1 import read_smb1
from collector.deep.smb2 import read_smb2
from collector.deep.tshark import Tshark, TsharkFailed
from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.fastlane.settings import FastLaneSettings
from collector.packet import Packet, Pick
from collector.sighting_lane import Ends, ends_of, packets_of
from collector.sightings import Sighting

#: What is read here, without tshark: the kernels' look, a quick look of its own, then the reader.
_OWN: Final[
    tuple[tuple[int, str, Callable[[bytes], bool], Callable[[Packet], Iterator[Sighting]]], ...]
] = (
    (CLOCK, "clock", may_tell_clock, read_clocks),
    (HL7, "hl7", may_be_hl7, read_hl7),
    (LDAP, "ldap", may_be_ldap, read_ldap),
)
_OWN_LOOKS: Final = reduce(or_, (look for look, *_ in _OWN), DICOM)
_BROKEN: Final = (ValueError, IndexError, struct.error)
#: Lines waiting to be read before `feed` reads some, so that a long feed does not pile them up.
_LINES_WAITING: Final = 4096


class DeepLane:
    """Feeds one tshark and reads what it says.

    `shed` counts packets lost with a tshark that died or stalled, `malformed` those that broke
    their protocol, `rotations` how often tshark was replaced to empty its memory; `blind` says
    what cannot be seen and what to do. tshark starts with the first packet.
    """

    def __init__(
        self,
        settings: DeepSettings | None = None,
        sensor: str = "local",
        bulk_bytes: int = FastLaneSettings().bulk_bytes,
    ) -> None:
        """`bulk_bytes` is the fast lane's: of longer reads and writes only the head is fed."""
        self._settings = settings or DeepSettings()
        self._bulk_bytes = bulk_bytes
        self._sensor = sensor
        self._tshark: Tshark | None = None
        self._waiting: deque[tuple[int, Ends, str]] = deque()  # order, ends, magic
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
        self._found: list[tuple[int, int, Sighting]] = []
        self._memory = Memory()
        self._dicom = DicomReader()
        self._order = 0
        self._failures = 0
        self.shed: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()
        self.rotations = 0
        self.blind: dict[str, str] = {}

    def feed(self, buffer: bytes | NDArray[np.uint8], picks: NDArray[Any]) -> None:
        """Hand over the picks of kind DEEP (PICK_DTYPE), whose offsets are into `buffer`."""
        mine = picks[picks["kind"] == Pick.DEEP]
        if not len(mine):
            return
        bytes_of = np.frombuffer(buffer, np.uint8) if isinstance(buffer, bytes) else buffer
        looks = np.empty(len(mine), np.uint8)
        keys = np.empty((2, len(mine)), np.uint64)
        look_at(bytes_of, mine.view(PICK_ROW_DTYPE), self._bulk_bytes, self._seed, looks, *keys)
        view = memoryview(bytes_of)  # type: ignore[arg-type]  # numpy's stubs lack the buffer protocol
        is_own = self._may_be_own(looks, keys)
        own = packets_of(buffer, mine[is_own], self._sensor)
        connections, ways = keys.tolist()
        columns = ("link_type", "time_ns", "frame_offset", "frame_length", "wire_length")
        frames = zip(*(mine[name].tolist() for name in columns), strict=True)
        rows = zip(is_own.tolist(), looks.tolist(), frames, ends_of(mine), strict=True)
        for at, (is_read, look, frame, ends) in enumerate(rows):
            self._order += 1
            if is_read and self._read_own(next(own), connections[at], ways[at]):
                continue
            self._dissect(view, frame, look, ends)

    def _may_be_own(self, looks: NDArray[Any], keys: NDArray[Any]) -> NDArray[Any]:
        """Which packets are to be read here first: by their bytes, or as part of DICOM's."""
        begun = set(keys[0][looks & DICOM != 0].tolist())
        knows = self._dicom.knows
        is_dicom = [c in begun or knows(c, w) for c, w in zip(*keys.tolist(), strict=True)]
        is_own: NDArray[Any] = (looks & _OWN_LOOKS != 0) | np.array(is_dicom, bool)
        return is_own

    def drain(self) -> list[Sighting]:
        """Wait until all that was fed is dissected; return its sightings in time order."""
        if self._tshark is not None:
            try:
                self._read_lines(self._tshark.lines())
            except TsharkFailed as failure:
                self._lose(failure)
        found = [sighting for _, _, sighting in sorted(self._found, key=lambda f: f[:2])]
        self._found.clear()
        return found

    def close(self) -> None:
        """End tshark; what was not drained is lost."""
        if self._tshark is not None:
            self._tshark.close()
            self._tshark = None

    def _read_own(self, packet: Packet, connection: int, way: int) -> bool:
        """Read what needs no tshark; true if that was all."""
        told = self._kept("dicom", lambda: self._dicom.read(packet, connection, way))
        if told is not None:
            return True
        for _, name, may_be, read in _OWN:
            if may_be(packet.payload):
                self._kept(name, lambda read=read: list(read(packet)))  # type: ignore[misc]
                return name == "hl7"
        return False

    def _kept(
        self, name: str, read: Callable[[], Sequence[Sighting] | None]
    ) -> Sequence[Sighting] | None:
        """Keep what is read; None if nothing of this kind is there."""
        try:
            told = read()
        except _BROKEN:
            self.malformed[name] += 1
            return ()
        self._found.extend((sighting.time_ns, self._order, sighting) for sighting in told or ())
        return told

    def _dissect(
        self, view: memoryview, frame: tuple[int, int, int, int, int], look: int, ends: Ends
    ) -> None:
        tshark = self._running()
        if tshark is None:
            self.shed["deep_tshark"] += self._settings.enabled
            return
        link_type, time_ns, at, length, wire_length = frame
        if look & BULK:
            # One byte less than the wire had makes tshark read the head and not wait for the rest.
            wire_length = max(wire_length, length)
            length -= 1
        self._waiting.append((self._order, ends, "MZ" if look & PROGRAM else ""))
        try:
            tshark.feed(link_type, time_ns, view[at : at + length], wire_length)
            if tshark.fed >= self._settings.rotate_after:
                self._rotate(tshark)
            elif tshark.fed % _LINES_WAITING == 0:
                self._read_lines(tshark.taken())
        except TsharkFailed as failure:
            self._lose(failure)

    def _running(self) -> Tshark | None:
        if self._tshark is not None:
            return self._tshark
        if not self._settings.enabled:
            self.blind["deep"] = (
                "SMB, DCE/RPC, NTLM and Kerberos are not seen: deep.enabled is false"
            )
        if self.blind:
            return None
        if shutil.which(self._settings.program) is None:
            self.blind["deep"] = (
                f"{self._settings.program} is not installed: SMB, DCE/RPC, NTLM and Kerberos are "
                "not seen; install the package tshark"
            )
            return None
        try:
            self._tshark = Tshark(self._settings)
        except (OSError, KeyError) as fault:
            self.blind["deep"] = f"{self._settings.program} could not be started: {fault}"
        return self._tshark

    def _rotate(self, tshark: Tshark) -> None:
        """Replace tshark, always after the same number of packets, so that replays agree."""
        self._read_lines(tshark.lines())
        self.close()
        self.rotations += 1

    def _read_lines(self, lines: list[str]) -> None:
        for text in lines:
            if not self._waiting:
                self.malformed["tshark"] += 1
                raise TsharkFailed("tshark wrote more lines than it was fed frames")
            order, ends, magic = self._waiting.popleft()
            if text.rstrip("\t").isdigit():
                continue  # a packet with nothing to tell, e.g. the middle of a PDU
            line, fed = Line(text), Fed.of(order, self._sensor, ends, magic)
            for sighting in self._sightings(line, fed):
                self._found.append((sighting.time_ns, fed.order, sighting))

    def _sightings(self, line: Line, fed: Fed) -> Iterator[Sighting]:
        carriers: list[Carrier] = []
        if line.has("smb2.cmd") or line.has("smb2.header.transform.msg_size"):
            smb2, carriers = read_smb2(line, fed, self._memory)
            yield from smb2
        elif line.has("smb.cmd"):
            smb1, carriers = read_smb1(line, fed)
            yield from smb1
        if line.has("dcerpc.pkt_type"):
            yield from read_dcerpc(line, fed, self._memory, carriers)
        if line.has("ntlmssp.messagetype"):
            yield from read_ntlm(line, fed)
        if line.has("kerberos.msg_type"):
            yield from read_kerberos(line, fed)

    def _lose(self, failure: TsharkFailed) -> None:
        """Count what was lost with a tshark, and let the next packet start another."""
        tshark, self._tshark = self._tshark, None
        if tshark is None:
            return
        try:
            self._read_lines(tshark.taken())
        except TsharkFailed as further:
            failure = further
        finally:
            tshark.close()
        self.shed["deep_tshark"] += len(self._waiting)
        self._waiting.clear()
        self._failures = 0 if tshark.answered else self._failures + 1
        if self._failures >= self._settings.max_failures:
            self.blind["deep"] = f"{failure}; started {self._failures} times without an answer"
