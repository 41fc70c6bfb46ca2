"""Bytes that an exploit shows, or what it brings."""

import numpy as np
import pytest

from collector.packet import Pick
from collector.sightings import AttackBytes
from tests.collector.feeder import packet_rows
from tests.collector.test_decoders import sightings_of

PE = b"MZ" + bytes(58) + (128).to_bytes(4, "little") + bytes(64) + b"PE\0\0"


@pytest.mark.parametrize(
    ("payload", "mark"),
    [
        (bytes.fromhex("18030200030140 00".replace(" ", "")), "heartbleed"),
        (bytes.fromhex("1803020020") + bytes(32), "heartbeat"),
        (bytes.fromhex("00000033fc534d42ffffffff0200000010000000"), "smbghost"),
        (PE, "raw_program"),
        (len(PE).to_bytes(4, "little") + PE, "staged_program"),
        (b"#!/bin/sh\necho 1", "raw_program"),
        (bytes.fromhex("fce8890000006089e531d2"), "code"),
        (b"Microsoft Windows [Version 10.0.19045.1]\r\n", "shell"),
        (b"uid=0(root) gid=0(root) groups=0(root)\n", "shell"),
        (b'{"id":1,"method":"mining.subscribe","params":[]}\n', "mining"),
    ],
)
def test_marks(payload: bytes, mark: str) -> None:
    [found] = sightings_of(payload, Pick.MARKED, protocol=6)
    assert isinstance(found, AttackBytes)
    assert found.mark == mark


@pytest.mark.parametrize(
    "payload",
    [
        bytes.fromhex("00000040fc534d42001000000200010010000000"),
        b"MZ" + bytes(200),
        b"Microsoft SQL Server",
        b'{"id":1,"method":"login","user":"x"}',
        b"\r\nlogin: ",
    ],
)
def test_what_only_begins_alike_tells_nothing(payload: bytes) -> None:
    assert sightings_of(payload, Pick.MARKED, protocol=6) == []


def test_an_answer_that_begins_a_program() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"
    [found] = sightings_of(head + PE, Pick.HTTP, protocol=6)
    assert (found.mark, found.format, found.excerpt) == ("http_program", "pe", "image/png")
    assert sightings_of(head + b"\x89PNG", Pick.HTTP, protocol=6) == []


def test_nothing_that_was_typed_is_kept() -> None:
    buffer, picks = packet_rows(
        b"PS C:\\Users\\yamada\\secret> ", kind=Pick.MARKED, protocol=6, port=50000
    )
    assert np.all(picks["kind"] == Pick.MARKED)
    [found] = sightings_of(bytes(buffer), Pick.MARKED, protocol=6)
    assert "secret" not in found.format
