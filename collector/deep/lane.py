"""The deep lane: control packets that the fast lane picked are dissected, and told as sightings."""

from __future__ import annotations

import os
import shutil
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.deep.accounts import read_kerberos, read_ntlm
from collector.deep.clinical import DicomReader, may_be_hl7, read_hl7
from collector.deep.clocks import may_tell_clock, read_clocks
from collector.deep.dcerpc import Carrier, read_dcerpc
from collector.deep.fed import Fed
from collector.deep.fields import Line
from collector.deep.kernels import (
    BULK,
    CLOCK,
    COMMAND,
    DICOM,
    HL7,
    LDAP,
    PLAIN,
    PROGRAM,
    TSHARK,
    look_at,
)
from collector.deep.ldap import may_be_ldap, read_ldap
from collector.deep.memory import Memory
from collector.deep.settings import DeepSettings
from collector.deep.smb1 import read_smb1
from collector.deep.smb2 import read_smb2
from collector.deep.tshark import Tshark, TsharkFailed
from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.fastlane.settings import FastLaneSettings
from collector.packet import Packet, Pick
from collector.recent import Recent
from collector.rows import take_rows
from collector.sighting_lane import Payload, packet_of
from collector.sightings import Sighting
from collector.told import Ends, Said, Sayings, Telling, Told, ends_of
from collector.words import Text

#: What is read here, without tshark: the kernels' look, a quick look of its own, then the reader.
_OWN: Final[
    tuple[tuple[int, str, Callable[[bytes], bool], Callable[[Packet], Iterator[Sighting]]], ...]
] = (
    (CLOCK, "clock", may_tell_clock, read_clocks),
    (HL7, "hl7", may_be_hl7, read_hl7),
    (LDAP, "ldap", may_be_ldap, read_ldap),
)
_OWN_LOOKS: Final = DICOM | CLOCK | HL7 | LDAP
_TELLING_LOOKS: Final = _OWN_LOOKS | TSHARK | COMMAND
_BROKEN: Final = (ValueError, IndexError, struct.error)
#: Where times are the same, the deep lane's sightings come behind the sighting lane's.
_BEHIND: Final = 1 << 40
#: Connections that are known to be HL7's.
_CONNECTIONS: Final = 4096
#: Lines waiting to be read before `feed` reads some, so that a long feed does not pile them up.
_LINES_WAITING: Final = 4096


@dataclass(frozen=True)
class Cut:
    """A stretch of what was fed: who tells it, and how many packets tshark had been given."""

    telling: Telling
    sent: int


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
        self._waiting: deque[tuple[Telling, int, Ends, str]] = deque()  # turn, ends, magic
        self._sent = 0  # packets that were ever given to a tshark
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
        self._telling = Telling(_BEHIND)
        self._sayings = Sayings()
        self._memory = Memory()
        self._dicom = DicomReader()
        self._hl7: Recent[bool] = Recent(_CONNECTIONS)
        self._failures = 0
        self.shed: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()
        self.rotations = 0
        self.blind: dict[str, Text] = {}

    def feed(self, buffer: bytes | NDArray[np.uint8], picks: NDArray[Any]) -> None:
        """Hand over the picks of kind DEEP (PICK_DTYPE), whose offsets are into `buffer`."""
        mine = take_rows(picks, picks["kind"] == Pick.DEEP)
        if not len(mine):
            return
        bytes_of = np.frombuffer(buffer, np.uint8) if isinstance(buffer, bytes) else buffer
        looks = np.empty(len(mine), np.uint16)
        keys = np.empty((3, len(mine)), np.uint64)
        look_at(bytes_of, mine.view(PICK_ROW_DTYPE), self._bulk_bytes, self._seed, looks, *keys)
        telling = self._may_tell(looks, *keys[:2])
        mine, looks, keys = take_rows(mine, telling), looks[telling], keys[:, telling]
        connections, ways, hashes = keys.tolist()
        said = [self._sayings.get(one) for one in hashes]
        new = _frames(take_rows(mine, np.array([known is None for known in said], bool)))
        view = memoryview(bytes_of)  # type: ignore[arg-type]  # numpy's stubs lack the buffer protocol
        rows = zip(looks.tolist(), said, hashes, connections, ways, strict=True)
        for row, (look, known, said_hash, connection, way) in enumerate(rows):
            turn = self._telling.turn()
            if known is not None:
                self._again(turn, row, known, look, connection, way)
                continue
            frame, ends, payload = next(new)
            if look & _OWN_LOOKS or self._dicom.knows(connection, way) or self._hl7.get(connection):
                packet = packet_of(self._sensor, view, ends, payload)
                if self._read_own(packet, turn, look, said_hash, connection, way):
                    continue
            self._dissect(view, frame, look, ends, turn)
        self._telling.end_picks(mine)

    def cut(self) -> Cut:
        """End a stretch: what was fed since the last one, to be drained in its turn."""
        if self._tshark is not None:
            try:
                self._tshark.send()
            except TsharkFailed as failure:
                self._lose(failure)
        cut, self._telling = Cut(self._telling, self._sent), Telling(_BEHIND)
        return cut

    def drain(self, cut: Cut | None = None) -> Told:
        """Wait until the stretch (None: all) is dissected; return its sightings in time order."""
        cut = cut or self.cut()
        behind = self._sent - cut.sent  # fed since; a tshark that is younger than that has no more
        if self._tshark is not None and self._tshark.fed > behind:
            try:
                self._read_lines(self._tshark.lines(behind))
            except TsharkFailed as failure:
                self._lose(failure)
        return cut.telling.take()

    def close(self) -> None:
        """End tshark; what was not drained is lost."""
        if self._tshark is not None:
            self._tshark.close()
            self._tshark = None

    def _may_tell(
        self,
        looks: NDArray[np.uint16],
        connections: NDArray[np.uint64],
        ways: NDArray[np.uint64],
    ) -> NDArray[np.bool_]:
        """False for the data in the middle of a DICOM or HL7 message, which is most of it."""
        telling: NDArray[np.bool_] = looks & _TELLING_LOOKS != 0
        stirred = set(connections[telling].tolist())
        plain = np.flatnonzero(~telling)
        keys = zip(connections[plain].tolist(), ways[plain].tolist(), strict=True)
        telling[plain] = [
            connection in stirred or not self._is_between(connection, way)
            for connection, way in keys
        ]
        return telling

    def _is_between(self, connection: int, way: int) -> bool:
        if self._dicom.knows(connection, way):
            return self._dicom.is_between(connection, way)
        return self._hl7.get(connection) is not None

    def _again(
        self, turn: int, row: int, known: Said, look: int, connection: int, way: int
    ) -> None:
        """A packet says what was read here before: nothing of it is tshark's."""
        self._telling.again(turn, row, known)
        name = "dicom" if look & DICOM else "hl7" if look & HL7 else "ldap"
        self.malformed[name] += known.is_malformed
        if look & DICOM:
            self._dicom.associated(connection, way)
        elif look & HL7:
            self._hl7.put(connection, True)

    def _read_own(
        self, packet: Packet, turn: int, look: int, said_hash: int, connection: int, way: int
    ) -> bool:
        """Read what needs no tshark; true if that was all."""
        if self._kept("dicom", turn, said_hash, lambda: self._dicom.read(packet, connection, way)):
            return not look & TSHARK
        for bit, name, may_be, read in _OWN:
            if look & bit and may_be(packet.payload):
                self._kept(name, turn, said_hash, lambda read=read: list(read(packet)))  # type: ignore[misc]
                if bit == HL7:
                    self._hl7.put(connection, True)
                    return True
                return look & PLAIN != 0
        return self._hl7.get(connection) is not None and not look & TSHARK

    def _kept(
        self, name: str, turn: int, said_hash: int, read: Callable[[], list[Any] | None]
    ) -> bool:
        """Keep what is read; false if nothing of this kind is there."""
        told: list[Any] | None = []
        is_malformed = False
        try:
            told = read()
        except _BROKEN:
            is_malformed = True
            self.malformed[name] += 1
        if told is None:
            return False
        self._telling.tell(turn, told)
        if said_hash:
            self._sayings.keep(said_hash, told, is_malformed)
        return True

    def _dissect(self, view: memoryview, frame: _Frame, look: int, ends: Ends, turn: int) -> None:
        tshark = self._running()
        if tshark is None:
            self.shed["deep_tshark"] += self._settings.enabled
            return
        link_type, time_ns, at, length, wire_length = frame
        if look & BULK:
            # One byte less than the wire had makes tshark read the head and not wait for the rest.
            wire_length = max(wire_length, length)
            length -= 1
        self._waiting.append((self._telling, turn, ends, "MZ" if look & PROGRAM else ""))
        self._sent += 1
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
            self.blind["deep"] = Text(
                "SMB、DCE/RPC、NTLM、Kerberos を見ていません（設定 deep.enabled が false）。",
                "SMB, DCE/RPC, NTLM and Kerberos are not seen: deep.enabled is false",
            )
        if self.blind:
            return None
        if shutil.which(self._settings.program) is None:
            self.blind["deep"] = Text(
                f"{self._settings.program} がないため、SMB、DCE/RPC、NTLM、Kerberos を"
                "見ていません。"
                "tshark をインストールしてください。",
                f"{self._settings.program} is not installed: SMB, DCE/RPC, NTLM and Kerberos are "
                "not seen; install the package tshark",
            )
            return None
        try:
            self._tshark = Tshark(self._settings)
        except (OSError, KeyError) as fault:
            program = self._settings.program
            self.blind["deep"] = Text(
                f"{program} を起動できません（{fault}）。",
                f"{program} could not be started: {fault}",
            )
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
            telling, turn, ends, magic = self._waiting.popleft()
            if text.rstrip("\t").isdigit():
                continue  # a packet with nothing to tell, e.g. the middle of a PDU
            line, fed = Line(text), Fed.of(self._sensor, ends, magic)
            telling.tell(turn, list(self._sightings(line, fed)))

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
            self.blind["deep"] = Text(
                f"tshark を {self._failures} 回起動しましたが応答がありません（{failure}）。",
                f"{failure}; started {self._failures} times without an answer",
            )


#: Link type, time, offset, captured and wire length of a frame.
_Frame = tuple[int, int, int, int, int]


def _frames(picks: NDArray[Any]) -> Iterator[tuple[_Frame, Ends, Payload]]:
    frames = ("link_type", "time_ns", "frame_offset", "frame_length", "wire_length")
    payloads = ("protocol", "ttl", "payload_offset", "payload_length")
    frame, payload = (
        zip(*(picks[name].tolist() for name in names), strict=True) for names in (frames, payloads)
    )
    return zip(frame, ends_of(picks), payload, strict=True)
