"""Packets that say the same are decoded once, and told as if each had been."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.capture import open_capture
from collector.decoders import DECODERS
from collector.fastlane.lane import FastLane
from collector.flights import Flights
from collector.packet import PICK_DTYPE, Pick
from collector.sighting_lane import SightingLane, packets_of
from collector.sightings import Sighting, TlsClientHello

_BY_PICK = {int(decoder.pick): decoder for decoder in DECODERS}


def one_by_one(buffer: bytes, picks: np.ndarray) -> list[Sighting]:
    """The same without any memory of what was said."""
    flights, found = Flights(), []
    mine = picks[np.isin(picks["kind"], list(_BY_PICK))]
    for kind, picked in zip(mine["kind"].tolist(), packets_of(buffer, mine), strict=True):
        packet = flights.join(kind, picked)
        if packet is not None:
            try:
                for sighting in _BY_PICK[kind].decode(packet):
                    found.append(sighting)
            except (ValueError, IndexError, struct.error):
                continue
    return sorted(found, key=lambda s: s.time_ns)


def hello(random: int, name: bytes, key: int, grease: int = 0x1A1A) -> bytes:
    """A ClientHello: what is made up anew each time, and what is not."""
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    listed = len(entry).to_bytes(2, "big") + entry
    extensions = b"".join(
        kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
        for kind, value in (
            (grease, b""), (0, listed), (43, b"\4" + grease.to_bytes(2, "big") + b"\3\4"),
            (51, bytes([0, 36, 0, 29, 0, 32]) + bytes([key]) * 32),
        )
    )  # fmt: skip
    ciphers = grease.to_bytes(2, "big") + b"\x13\x01\x13\x02"
    body = b"\3\3" + bytes([random]) * 32 + b"\x20" + bytes([random]) * 32
    body += len(ciphers).to_bytes(2, "big") + ciphers + b"\1\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + len(message).to_bytes(2, "big") + message


def query(number: int, name: bytes) -> bytes:
    head = number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0"
    return head + bytes([len(name)]) + name + b"\0\0\1\0\1"


def picked(kind: Pick, payloads: list[bytes]) -> tuple[bytes, np.ndarray]:
    picks = np.zeros(len(payloads), PICK_DTYPE)
    picks["kind"], picks["protocol"] = kind, 6 if kind == Pick.TLS else 17
    picks["time_ns"] = np.arange(len(payloads)) + 1
    picks["source"][:, 1] = 0xFFFF0A000001 + np.arange(len(payloads))
    picks["destination"][:, 1] = 0xFFFF0A0000FF
    picks["source_port"], picks["destination_port"] = 50000, 443
    picks["payload_length"] = [len(p) for p in payloads]
    picks["payload_offset"] = np.cumsum([0, *picks["payload_length"][:-1]])
    return b"".join(payloads), picks


def test_what_is_made_up_anew_does_not_matter() -> None:
    buffer, picks = picked(Pick.TLS, [hello(1, b"a.example", 1), hello(2, b"b.example", 2),
                                      hello(3, b"a.example", 3, 0x2A2A)])  # fmt: skip
    lane = SightingLane()
    first, again = lane.decode(buffer, picks[:2]), lane.decode(buffer, picks[2:])
    assert [*first, *again] == one_by_one(buffer, picks)
    assert isinstance(first[0], TlsClientHello) and isinstance(again[0], TlsClientHello)
    assert (again[0].sni, again[0].ip, again[0].ja4) == ("a.example", "10.0.0.3", first[0].ja4)
    assert len(lane._sayings) == 2


words = st.lists(st.tuples(st.integers(0, 65535), st.sampled_from([b"a", b"bb", b"c" * 40])))


@given(words, st.integers(0, 40))
def test_names_asked_again_are_told_again(asked: list[tuple[int, bytes]], cut: int) -> None:
    buffer, picks = picked(Pick.DNS, [query(*a)[: 60 - cut] for a in asked])
    lane = SightingLane()
    told = [s for at in range(len(picks)) for s in lane.decode(buffer, picks[at : at + 1])]
    assert told == one_by_one(buffer, picks)


@given(
    st.lists(st.binary(max_size=120), max_size=8), st.sampled_from([Pick.DNS, Pick.TLS, Pick.HTTP])
)
def test_no_bytes_break_it(payloads: list[bytes], kind: Pick) -> None:
    buffer, picks = picked(kind, [*payloads, *payloads])
    lane = SightingLane()
    told = [s for at in range(len(picks)) for s in lane.decode(buffer, picks[at : at + 1])]
    assert told == one_by_one(buffer, picks)
    assert not lane.failed


def test_captures_are_told_alike(captures: Path) -> None:
    again = 0
    for path in sorted((captures / "benign").glob("*.pcap"))[:15]:
        fast, lane = FastLane(), SightingLane()
        with open_capture(path) as capture:
            for chunk in capture:
                picks = fast.feed(chunk).picks
                whole = one_by_one(bytes(chunk.buffer), picks)
                assert (
                    sorted(
                        (
                            s
                            for at in range(len(picks))
                            for s in lane.decode(chunk.buffer, picks[at : at + 1])
                        ),
                        key=lambda s: s.time_ns,
                    )
                    == whole
                ), path.name
                again += len(whole) - len(lane._sayings)
    assert again > 0
