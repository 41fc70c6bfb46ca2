"""Remote calls from packets to alerts, in every transport and syntax that carries them."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from api.configuration import Configuration
from collector.replay import Replay
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hosts import HostTable
from detector.lateral import rpc_rules as rpc
from tests.collector.rpc_wires import (
    CLIENT,
    NDR,
    NDR64,
    SERVER,
    Conversation,
    bind,
    bound,
    open_pipe,
    open_pipe1,
    read,
    read_answer,
    request,
    response,
    smb1,
    smb2,
    transact1,
    transceive,
    write,
    write1,
)

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
_HANDLE = b"\x07" * 16


def alerts_of(
    said: Conversation, folder: Path, detector: str = "remote_calls"
) -> set[tuple[str, str, str, str]]:
    """(variant, technique, source, target) of what a detector tells of a replay."""
    capture = folder / "calls.pcap"
    packed = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    for time_ns, _, frame in said.frames:
        packed += struct.pack("<IIII", *divmod(time_ns, 10**9), len(frame), len(frame)) + frame
    capture.write_bytes(packed)
    configuration = Configuration.model_validate({})
    hosts = HostTable(configuration.hospital)
    engine = Engine(
        configuration.hospital,
        configuration.detectors(),
        configuration.detector.engine,
        hosts,
        EdgeMemory(),
    )
    for seen in Replay(configuration.collector).read([capture]):
        engine.feed(seen)
    engine.finish()
    return {
        (alert.variant, technique, alert.source.ip, target.ip)
        for alert in engine.alerts.values()
        if alert.detector == detector
        for technique in alert.techniques
        for target in alert.targets
    }


def over_tcp(interface: str, *operations: int, syntaxes: tuple[bytes, ...] = (NDR,)):
    said = Conversation(49670)
    said.ask(bind(interface, syntaxes=syntaxes))
    said.answer(bound((b"",) * (len(syntaxes) - 1) + syntaxes[-1:]))
    context = len(syntaxes) - 1
    for call, operation in enumerate(operations, 2):
        said.ask(request(operation, bytes(range(64)), context, call))
        said.answer(response(b"\0" * 4, context, call))
    return said


def over_smb2(interface: str, pipe: str, operation: int, is_compounded: bool = False):
    said = Conversation(445)
    open_pipe(said, pipe, _HANDLE, 1)
    said.ask(smb2((9, 2, write(_HANDLE, bind(interface)), False)))
    said.answer(smb2((9, 2, struct.pack("<HHIIHH", 17, 0, 72, 0, 0, 0), True)))
    said.ask(smb2((8, 3, read(_HANDLE), False)))
    said.answer(smb2((8, 3, read_answer(bound()), True)))
    if is_compounded:
        body = write(_HANDLE, request(operation, b"\0" * 64))
        said.ask(smb2((9, 4, body, False), (8, 5, read(_HANDLE), False)))
    else:
        said.ask(smb2((11, 4, transceive(_HANDLE, request(operation, b"\0" * 64)), False)))
    return said


def over_smb1(interface: str, pipe: str, operation: int, carry: Callable[[int, bytes], bytes]):
    said = Conversation(445)
    open_pipe1(said, pipe, 0x4000)
    said.ask(carry(0x4000, bind(interface)))
    said.ask(carry(0x4000, request(operation, b"\0" * 64)))
    return said


@pytest.mark.parametrize(
    ("said", "variant", "technique"),
    [
        (over_smb2(rpc.SVCCTL, "svcctl", 12), "service", "T1569.002"),
        (over_smb2(rpc.SVCCTL, "ntsvcs", 12), "service", "T1569.002"),
        (over_smb2(rpc.WINREG, "winreg", 20, is_compounded=True), "hive", "T1003.002"),
        (over_smb2(rpc.NETLOGON, "lsass", 42), "netsync", "T1003"),
        (over_smb2(rpc.CERTIFICATES, "cert", 0), "certificate", "T1649"),
        (over_smb2(rpc.EFSR, "lsarpc", 4), "coercion", "T1187"),
        (over_smb2(rpc.EFSR2, "efsrpc", 0), "coercion", "T1187"),
        (over_smb2(rpc.NETDFS, "netdfs", 13), "coercion", "T1187"),
        (over_smb2(rpc.FSRVP, "FssagentRpc", 9), "coercion", "T1187"),
        (over_smb2(rpc.EVENTLOG, "eventlog", 9), "coercion", "T1187"),
        (over_smb2(rpc.SPOOLSS, "spoolss", 65), "printer_bug", "T1187"),
        (over_smb2(rpc.SAMR, "samr", 50), "account_create", "T1136.002"),
        (over_smb1(rpc.ATSVC, "atsvc", 0, transact1), "task", "T1053.002"),
        (over_smb1(rpc.SVCCTL, "svcctl", 24, write1), "service", "T1569.002"),
        (over_tcp(rpc.TASKS, 1, syntaxes=(NDR, NDR64)), "task", "T1053.005"),
        (over_tcp(rpc.SVCCTL, 12, syntaxes=(NDR, NDR64)), "service", "T1569.002"),
        (over_tcp(rpc.DRSUAPI, 5), "dcshadow", "T1207"),
        (over_tcp(rpc.ACTIVATOR, 4), "dcom", "T1021.003"),
        (over_tcp(rpc.ACTIVATOR, 3), "dcom", "T1021.003"),
        (over_tcp(rpc.DISPATCH, 5, 6), "dcom", "T1021.003"),
        (over_tcp(rpc.WBEM_SERVICES, 24), "wmi", "T1047"),
        (over_tcp(rpc.WBEM_LOGIN, 6), "wmi_query", "T1047"),
        (over_tcp(rpc.EVENT_SERVICE, 6), "log_clear", "T1070.001"),
        (over_tcp(rpc.NETLOGON, *(4, 26) * 5, 30), "zerologon", "T1210"),
    ],
)
def test_a_call_is_told_with_its_ends(said, variant, technique, tmp_path) -> None:
    assert (variant, technique, CLIENT, SERVER) in alerts_of(said, tmp_path)


class LengthAlone(Conversation):
    """The four bytes of length travel in a segment of their own, as Go's SMB library sends them."""

    def _segment(self, side: int, payload: bytes, flags: int) -> None:
        if payload:
            super()._segment(side, payload[:4], flags)
        super()._segment(side, payload[4:], flags)


@pytest.mark.parametrize("port", [139, 445])
def test_a_length_that_travels_alone_hides_no_call(port, tmp_path) -> None:
    said = LengthAlone(port)
    open_pipe(said, "svcctl", _HANDLE, 1)
    for message, data in ((2, bind(rpc.SVCCTL)), (3, request(12, b"\0" * 3000))):
        said.ask(smb2((11, message, transceive(_HANDLE, data), False)))
    assert ("service", "T1569.002", CLIENT, SERVER) in alerts_of(said, tmp_path)


@pytest.mark.parametrize(
    ("path", "file", "technique"),
    [
        ("IPC$", "RemCom_communicaton", "T1569.002"),
        ("IPC$", "PSEXESVC", "T1569.002"),
        ("IPC$", "paexec-4711-WARD-PC.exe", "T1569.002"),
        ("IPC$", "csexecsvc", "T1569.002"),
        ("C$", "__output", "T1569.002"),
        ("ADMIN$", "__1704672000.1234567", "T1047"),
        ("ADMIN$", "Temp\\kVxQbTzd.tmp", "T1053.005"),
    ],
)
def test_the_names_that_tools_leave(path, file, technique, tmp_path) -> None:
    said = Conversation(445)
    name = f"\\\\{SERVER}\\{path}".encode("utf-16-le")
    said.ask(smb2((3, 1, struct.pack("<HHHH", 9, 0, 72, len(name)) + name, False)))
    said.answer(smb2((3, 1, struct.pack("<HBBIII", 16, 1, 0, 0, 0, 0x1F01FF), True)))
    open_pipe(said, file, _HANDLE, 2)
    assert ("tool", technique, CLIENT, SERVER) in alerts_of(said, tmp_path, "admin_shares")


def test_a_host_that_is_open_to_ms17_010_says_so(tmp_path) -> None:
    said = Conversation(445)
    said.ask(transact1(0, b""))
    refused = bytearray(smb1(0x25, b"", is_answer=True))
    refused[9:13] = struct.pack("<I", 0xC0000205)
    said.answer(bytes(refused))
    assert ("tested", "T1210", CLIENT, SERVER) in alerts_of(said, tmp_path, "smb_exploit")


def ber(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return bytes([tag, 0x82]) + struct.pack("!H", len(value)) + value


@pytest.mark.parametrize(
    ("attribute", "technique"),
    [
        (b"msDS-KeyCredentialLink", "T1556"),
        (b"msDS-AllowedToActOnBehalfOfOtherIdentity", "T1134.001"),
    ],
)
def test_a_change_of_the_directory_is_told_with_its_ends(attribute, technique, tmp_path) -> None:
    value = ber(0x30, ber(4, attribute), ber(0x31, ber(4, b"\7" * 400)))
    change = ber(0x66, ber(4, b"CN=DC1,DC=hosp"), ber(0x30, ber(0x30, ber(10, b"\0"), value)))
    said = Conversation(389)
    said.ask(ber(0x30, ber(2, b"\1"), ber(0x60, ber(2, b"\3"), ber(4, b"cn=x"), ber(0x80, b"y"))))
    said.answer(ber(0x30, ber(2, b"\1"), ber(0x61, ber(10, b"\0"), ber(4), ber(4))))
    said.ask(ber(0x30, ber(2, b"\2"), change))
    said.answer(ber(0x30, ber(2, b"\2"), ber(0x67, ber(10, b"\0"), ber(4), ber(4))))
    told = alerts_of(said, tmp_path, "directory_change")
    assert ("take_over", technique, CLIENT, SERVER) in told


def test_a_members_new_password_is_silent(tmp_path) -> None:
    assert alerts_of(over_tcp(rpc.NETLOGON, 4, 26, 30), tmp_path) == set()
