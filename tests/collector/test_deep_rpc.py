"""DCE/RPC in all that carries it: which call, over which pipe, of which interface."""

from __future__ import annotations

import shutil
import struct

import pytest

from collector.sightings import Dcerpc
from detector.lateral.rpc_rules import NETLOGON, SVCCTL
from tests.collector.rpc_wires import (
    Conversation,
    bind,
    bound,
    request,
    told_of,
)

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")


def calls(*conversations: Conversation) -> list[Dcerpc]:
    told = told_of(*conversations)
    return [s for s in told if isinstance(s, Dcerpc) and s.packet == "request"]


@pytest.mark.parametrize(
    ("challenge", "is_constant"),
    [(b"\0" * 8, True), (b"\x41" * 5 + b"xyz", True), (b"\x12\x90\xfe\x00\x61\x07\x55\x10", False)],
)
def test_netlogon_shows_a_constant_challenge(challenge: bytes, is_constant: bool) -> None:
    name = "DC1\0".encode("utf-16-le")
    text = struct.pack("<III", 4, 0, 4) + name
    said = Conversation(49670)
    said.ask(bind(NETLOGON))
    said.answer(bound())
    said.ask(request(4, struct.pack("<I", 0x20000) + text + text + challenge))
    (call,) = calls(said)
    assert (call.interface, call.operation) == (NETLOGON, 4)
    assert call.is_challenge_constant is is_constant


def test_a_call_says_how_long_it_is() -> None:
    said = Conversation(49670)
    said.ask(bind(SVCCTL, 2))
    said.answer(bound())
    said.ask(request(12, b"\0" * 700))
    assert [call.stub_bytes for call in calls(said)] == [700]
