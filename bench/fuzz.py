"""Coverage-guided fuzzing of what reads strangers' bytes, one family at a time (needs atheris).

    python -m bench.fuzz datagrams --seconds 600 --corpus FOLDER

An exception other than those that a reader may raise ends the run, and the input is written beside
the corpus; so does an input that takes more than ten seconds, or more than 2 GiB.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

_TIMEOUT_S: Final = 10
_RSS_MIB: Final = 2048


def datagrams() -> Callable[[bytes], object]:
    """Decoders of single datagrams: ARP, DHCP, ND, DNS, mDNS, LLMNR, NBNS, SSDP, LLDP, CDP."""
    from collector.packet import Pick

    return _decoders(
        Pick.ARP, Pick.DHCP, Pick.DHCPV6, Pick.ND, Pick.DNS, Pick.MDNS, Pick.LLMNR, Pick.NBNS,
        Pick.SSDP, Pick.LLDP, Pick.CDP,
    )  # fmt: skip


def streams() -> Callable[[bytes], object]:
    """Decoders of what a connection begins with: TLS, QUIC, HTTP, SSH, RDP, marked bytes."""
    from collector.packet import Pick

    return _decoders(Pick.TLS, Pick.QUIC, Pick.HTTP, Pick.SSH, Pick.RDP, Pick.MARKED)


def _decoders(*kinds: int) -> Callable[[bytes], object]:
    import struct

    from collector.decoders import DECODERS
    from collector.packet import Packet

    chosen = [decoder for decoder in DECODERS if decoder.pick in kinds]
    ports = (53, 137, 138, 443, 80, 5353)

    def one(data: bytes) -> None:
        if len(data) < 2:
            return
        decoder = chosen[data[0] % len(chosen)]
        port, protocol = ports[data[1] % len(ports)], (17, 6, 58, 1)[data[1] >> 4 & 3]
        packet = Packet(
            10**18, "s", 0, "02:00:00:00:00:01", "02:00:00:00:00:02", "10.0.0.1", "10.0.0.2",
            protocol, port if data[1] & 128 else 40_000, port, 64, data[2:],
        )  # fmt: skip
        try:
            for sighting in decoder.decode(packet):
                sighting.to_json()
        except (ValueError, IndexError, struct.error):
            return

    return one


def exports() -> Callable[[bytes], object]:
    """NetFlow v5 and v9, IPFIX and sFlow: datagrams cut from the input, one exporter's."""
    import numpy as np

    from collector.exports.batch import Datagrams
    from collector.exports.decoder import ExportDecoder

    def one(data: bytes) -> None:
        pieces = data.split(b"\xff\xfe\xfd")[:16]
        length = np.array([len(piece) for piece in pieces], np.int64)
        buffer = np.frombuffer(b"".join(pieces) or b"\0", np.uint8)
        zeros = np.zeros(len(pieces), np.int64)
        sender = np.zeros((len(pieces), 2), np.uint64)
        told = Datagrams(
            buffer, np.cumsum(length) - length, length, zeros + 10**18, sender,
            zeros.astype(np.uint16),
        )  # fmt: skip
        decoder = ExportDecoder()
        decoder.decode(told)
        decoder.remember(decoder.remembered())

    return one


def logs() -> Callable[[bytes], object]:
    """Other monitors' words: Suricata's EVE, Zeek's logs, syslog records."""
    from collector.foreign.log_lines import EveLines, RecordLines, ZeekLines
    from collector.foreign.zeek_rows import LOGS

    names = ["conn", *sorted(LOGS)]

    def one(data: bytes) -> None:
        if not data:
            return
        kind = data[0] % 3
        if kind == 0:
            EveLines("s").feed(data[1:])
        elif kind == 1:
            RecordLines("s", 2026).feed(data[1:])
        else:
            ZeekLines(names[data[0] // 3 % len(names)], "s").feed(data[1:])

    return one


def captures() -> Callable[[bytes], object]:
    """A capture file of any form, through the fast lane and the sighting lane."""
    from collector.capture import CaptureError, open_capture
    from collector.fastlane import FastLane, FastLaneSettings
    from collector.sighting_lane import SightingLane

    path = Path(f"/proc/self/fd/{os.memfd_create('capture')}")

    def one(data: bytes) -> None:
        path.write_bytes(data)
        lane, sightings = FastLane(FastLaneSettings(max_flows=256, seed=1)), SightingLane()
        try:
            with open_capture(path) as capture:
                for chunk in capture:
                    sightings.decode(chunk.buffer, lane.feed(chunk).picks)
        except CaptureError:
            pass
        lane.finish()
        if sightings.failed:
            raise RuntimeError(f"a decoder failed: {sightings.failed}")

    return one


def dissected() -> Callable[[bytes], object]:
    """What tshark prints of SMB, RPC, NTLM and Kerberos: some lines of one connection.

    A line is cells that begin with the number of their field; 31 stands between values of one.
    """
    from collector.deep.fed import Fed
    from collector.deep.fields import FIELDS, Line
    from collector.deep.lane import DeepLane

    ends = (10**18, 0, "02:00:00:00:00:01", "10.0.0.1", 40_000, "02:00:00:00:00:02", "10.0.0.2")

    def one(data: bytes) -> None:
        lane = DeepLane()
        for number, told in enumerate(data.split(b"\n")[:64]):
            cells = [""] * len(FIELDS)
            for cell in told.split(b"\t"):
                if cell:
                    cells[cell[0] % len(FIELDS)] = cell[1:].decode("utf-8", "replace")
            fed = Fed.of("s", (*ends, 445), "MZ" if number % 2 else "")
            for sighting in lane._sightings(Line("\t".join(cells)), fed):
                sighting.to_json()

    return one


def own() -> Callable[[bytes], object]:
    """DICOM, HL7, LDAP and clocks, read here: packets of two connections, cut from the input."""
    from collector.deep.kernels import CLOCK, DICOM, HL7, LDAP
    from collector.deep.lane import DeepLane
    from collector.packet import Packet

    looks = (DICOM, CLOCK, HL7, LDAP, DICOM | CLOCK | HL7 | LDAP)

    def one(data: bytes) -> None:
        lane = DeepLane()
        for turn, piece in enumerate(data.split(b"\xff\xfe\xfd")[:32]):
            if len(piece) > 1:
                packet = Packet(
                    10**18, "s", 0, "02:00:00:00:00:01", "02:00:00:00:00:02", "10.0.0.1",
                    "10.0.0.2", 6, 40_000, 104, 64, piece[1:],
                )  # fmt: skip
                look = looks[(piece[0] >> 2) % len(looks)]
                lane._read_own(packet, turn, look, 0, piece[0] & 1, piece[0] >> 1 & 1)
        for sighting in lane.drain():
            sighting.to_json()

    return one


FAMILIES: Final = {
    f.__name__: f for f in (datagrams, streams, exports, logs, captures, dissected, own)
}


def _compiled() -> list[str]:
    """Modules that numba compiles: they cannot be followed, but their bounds are checked."""
    root = Path(__file__).resolve().parent.parent
    paths = (path for path in root.glob("collector/**/*.py") if "njit" in path.read_text("utf-8"))
    return [".".join(path.relative_to(root).with_suffix("").parts) for path in paths]


def main(
    family: Annotated[str, typer.Argument(help=", ".join(FAMILIES))],
    corpus: Annotated[Path, typer.Option(help="folder of inputs; grows")],
    seconds: Annotated[int, typer.Option(min=1)] = 600,
) -> None:
    """Fuzz one family."""
    import atheris

    # An index beyond an array is a finding; empty, it fuzzes the loops as they run.
    os.environ.setdefault("NUMBA_BOUNDSCHECK", "1")
    with atheris.instrument_imports(include=["collector"], exclude=_compiled()):
        one: Any = FAMILIES[family]()
    corpus.mkdir(parents=True, exist_ok=True)
    for path in sorted(corpus.iterdir()):
        one(path.read_bytes())  # loops are compiled here, not while time is taken
    options = [
        f"-max_total_time={seconds}", f"-timeout={_TIMEOUT_S}", f"-rss_limit_mb={_RSS_MIB}",
        "-max_len=2048", "-print_final_stats=1", f"-artifact_prefix={corpus}-found-",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    typer.run(main)
