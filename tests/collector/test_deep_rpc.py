"""DCE/RPC in all that carries it: which call, over which pipe, of which interface."""

from __future__ import annotations

import shutil
import struct

import pytest

from collector.sightings import Dcerpc
from detector.lateral.rpc_rules import NETLOGON, SVCCTL, WINREG
from tests.collector.rpc_wires import (
    NDR,
    NDR64,
    NO_FILE,
    Conversation,
    bind,
    bound,
    open_pipe,
    open_pipe1,
    read,
    read_answer,
    request,
    response,
    smb2,
    told_of,
    transact1,
    transceive,
    write,
    write1,
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


def test_compounded_writes_keep_their_pipes() -> None:
    one, other = b"\x01" * 16, b"\x02" * 16
    said = Conversation(445)
    open_pipe(said, "svcctl", one, 1)
    open_pipe(said, "winreg", other, 2)
    binds = (write(one, bind(SVCCTL, 2)), write(other, bind(WINREG)))
    said.ask(smb2(*((9, 3 + n, body, False) for n, body in enumerate(binds))))
    asks = (write(one, request(12)), write(other, request(20)))
    said.ask(smb2(*((9, 5 + n, body, False) for n, body in enumerate(asks))))
    told = [(call.interface, call.operation, call.pipe) for call in calls(said)]
    assert told == [(SVCCTL, 12, "svcctl"), (WINREG, 20, "winreg")]


def test_compounded_answers_keep_their_pipes() -> None:
    one, other = b"\x01" * 16, b"\x02" * 16
    said = Conversation(445)
    open_pipe(said, "svcctl", one, 1)
    open_pipe(said, "winreg", other, 2)
    said.ask(smb2((9, 3, write(one, bind(SVCCTL, 2)), False)))
    said.ask(smb2((9, 4, write(other, bind(WINREG)), False)))
    said.ask(smb2((8, 5, read(one), False), (8, 6, read(other), False)))
    answers = (read_answer(response(b"\0" * 4)), read_answer(response(b"\0" * 8)))
    said.answer(smb2(*((8, 5 + n, body, True) for n, body in enumerate(answers))))
    told = [s for s in told_of(said) if isinstance(s, Dcerpc) and s.packet == "response"]
    assert [(s.pipe, s.interface) for s in told] == [("svcctl", SVCCTL), ("winreg", WINREG)]


def test_a_pipe_opened_and_bound_in_one_packet() -> None:
    """The handle is known only from the answer; the bind names it as `the one just opened`."""
    handle = b"\x07" * 16
    said = Conversation(445)
    path = "lsass".encode("utf-16-le")
    create = struct.pack("<HBBIQQIIIII", 57, 0, 0, 2, 0, 0, 0x12019F, 0, 7, 1, 0x40)
    create += struct.pack("<HHII", 120, len(path), 0, 0) + path
    said.ask(smb2((5, 1, create, False), (9, 2, write(NO_FILE, bind(NETLOGON)), False)))
    opened = struct.pack("<HBBI4QQQII", 89, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x80, 0) + handle
    opened += struct.pack("<II", 0, 0)
    wrote = struct.pack("<HHIIHH", 17, 0, 72, 0, 0, 0)
    said.answer(smb2((5, 1, opened, True), (9, 2, wrote, True)))
    said.ask(smb2((11, 3, transceive(handle, request(30)), False)))
    (call,) = calls(said)
    assert (call.interface, call.operation, call.pipe) == (NETLOGON, 30, "lsass")


def test_the_context_that_was_bound_to_ndr64() -> None:
    said = Conversation(49670)
    said.ask(bind(SVCCTL, 2, syntaxes=(NDR, NDR64)))
    said.answer(bound((b"", NDR64)))
    said.ask(request(12, b"\0" * 40, context=1))
    (call,) = calls(said)
    assert (call.interface, call.operation) == (SVCCTL, 12)


@pytest.mark.parametrize("carry", [transact1, write1])
def test_smb1_carries_calls_by_write_and_by_transaction(carry) -> None:
    said = Conversation(445)
    open_pipe1(said, "svcctl", 0x4000)
    open_pipe1(said, "winreg", 0x4001)
    said.ask(carry(0x4000, bind(SVCCTL, 2)))
    said.ask(carry(0x4001, bind(WINREG)))
    said.ask(carry(0x4000, request(12)))
    said.ask(carry(0x4001, request(20)))
    told = [(call.interface, call.operation, call.pipe) for call in calls(said)]
    assert told == [(SVCCTL, 12, "svcctl"), (WINREG, 20, "winreg")]
