"""Other monitors' records, as their makers write them."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.monitors.events import event_of
from collector.monitors.records import read_record
from collector.sightings import MonitorEvent
from tests.collector.wires import mimawari, settings_file, spooled

FORTIGATE = (
    b'<189>date=2026-10-01 time=09:00:00 devname="FG-100F" devid="FG100F" logid="0100032002" '
    b'type="event" subtype="system" level="alert" user="admin" ui="https(203.0.113.9)" '
    b'action="login" status="failed" srcip=203.0.113.9 dstip=10.1.0.1 msg="Administrator admin '
    b'login failed from https(203.0.113.9) because of invalid password"'
)
CEF = (
    b"<134>Oct  1 09:00:00 nac CEF:0|Maker|NAC|1.0|100|Unregistered device|5|src=10.1.20.77 "
    b"smac=02:00:5e:10:00:01 shost=CT-1 msg=not in the ledger \\= stranger port=Gi1/0/5"
)
LEEF = (
    b"LEEF:1.0|Maker|Wireless|2.0|rogue|devTime=now\tmac=02-00-5e-10-00-02\tssid=AndroidAP"
    b"\tmsg=rogue AP detected"
)
WINDOWS = (
    b"<14>1 2026-10-01T00:00:00Z PC-3E-01 Security 4 - - 6416: A new external device was "
    b"recognized by the system.\tDevice Name:  Remote NDIS based Internet Sharing Device\t"
    b"Class Name:  Net"
)
WINDOWS_JSON = (
    b'<14>{"EventID":6416,"Hostname":"CT-1","DeviceDescription":"HUAWEI Mobile Connect Modem",'
    b'"ClassName":"Modem"}'
)


def read(raw: bytes) -> MonitorEvent | None:
    return event_of(read_record(raw), "10.1.0.1", 1, "local")


@pytest.mark.parametrize(
    ("raw", "event", "field", "value"),
    [
        (FORTIGATE, "login_failed", "ip", "203.0.113.9"),
        (FORTIGATE, "login_failed", "user", "admin"),
        (CEF, "new_mac", "mac", "02:00:5e:10:00:01"),
        (CEF, "new_mac", "host_name", "CT-1"),
        (CEF, "new_mac", "port_name", "Gi1/0/5"),
        (LEEF, "rogue_ssid", "port_name", "AndroidAP"),
        (LEEF, "rogue_ssid", "mac", "02:00:5e:10:00:02"),
        (WINDOWS, "usb_network", "reporter_ip", "10.1.0.1"),
        (WINDOWS_JSON, "usb_modem", "host_name", "CT-1"),
        (
            "<30>AX-NM: 未登録端末を検知しました MAC 0200.5e10.0003 IP 10.1.20.78".encode(),
            "new_mac",
            "mac",
            "02:00:5e:10:00:03",
        ),
        (b"<190>%SYS-5-CONFIG_I: Configured from console by vty0", "config_change", "ip", ""),
        (
            b"<46>sshd[1]: Accepted password for root from 10.1.9.9 port 5",
            "login",
            "ip",
            "10.1.9.9",
        ),
        (b"<85>LTE: mobile connect usb1 up", "mobile_line", "monitor", "router"),
    ],
)
def test_makers_records_are_understood(raw: bytes, event: str, field: str, value: str) -> None:
    found = read(raw)
    assert found is not None
    assert (found.event, getattr(found, field)) == (event, value)


@pytest.mark.parametrize("raw", [b"<30>fan speed normal", b"interface Gi1/0/5 changed state to up"])
def test_what_says_nothing_of_use_is_no_event(raw: bytes) -> None:
    assert read(raw) is None


def test_hostile_words_reach_no_terminal() -> None:
    for raw in (
        b"<134>CEF:0|Maker\x1b[2J|P|1|9|rogue ap|5|shost=\x1b]0;x\x07pc msg=a\xe2\x80\xaeb",
        b"LEEF:2.0|M|P|1|e|0x01|src=10.0.0.5\x01shost=\x1b]0;pc",
        b'{"shost": "\\u001b]0;pc", "msg": "\\u202eb"}',
        b'a="\x1b[2J" shost=\x9b2J',
    ):
        record = read_record(raw)
        words = (record.text, record.maker, record.name, *(record.fields or {}).values())
        assert all(word.isprintable() for word in words), record


def test_an_address_with_words_behind_it_is_none() -> None:
    told = FORTIGATE.replace(b"srcip=203.0.113.9", b'srcip="fe80::1%x reload"')
    found = event_of(read_record(told), "10.0.0.1", 1, "s")
    assert found is not None and "%" not in found.ip


@given(st.binary(max_size=600) | st.text(max_size=300).map(str.encode))
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    for head in (b"", b"CEF:0|", b"LEEF:2.0|a|b|c|d|0x|", b"{", b'a="'):
        try:
            read(head + raw)
        except ValueError:
            continue


def test_long_records_take_no_long_time() -> None:
    began = time.process_time()
    for piece in (b"a=", b"CEF:0|", b"usb device ", b"mac mac ", b"login ", b"rogue", b'"\\'):
        try:
            read(piece * 4000)
        except ValueError:
            continue
    assert time.process_time() - began < 3


def test_records_over_udp_tcp_and_from_a_file_become_sightings(tmp_path: Path) -> None:
    log, state = tmp_path / "nac.log", tmp_path / "state"
    log.write_bytes(CEF + b"\n")  # old: it was there before us
    sources = [
        {"kind": "syslog", "address": "127.0.0.1", "port": 0, "allow": ["127.0.0.1/32"]},
        {"kind": "event_file", "path": str(log)},
    ]
    process = subprocess.Popen(mimawari("collect", settings_file(tmp_path, sources), state))
    try:
        told = _until(state, lambda s: s.get("syslog 127.0.0.1 0", {}).get("state") == "up")
        port = told["syslog 127.0.0.1 0"]["port"]
        with socket.socket(type=socket.SOCK_DGRAM) as sending:
            sending.sendto(FORTIGATE, ("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)) as sending:
            sending.sendall(LEEF + b"\n" + str(len(WINDOWS)).encode() + b" " + WINDOWS)
        _until(state, lambda s: s[f"event_file {log}"]["state"] == "up")
        with log.open("ab") as file:
            file.write(WINDOWS_JSON + b"\nhalf a li")
        _until(
            state,
            lambda s: (
                s["syslog 127.0.0.1 0"].get("events") == 3
                and s[f"event_file {log}"].get("events") == 1
            ),
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    found = [
        s.event for seen in spooled(state) for s in seen.sightings if s.kind == "monitor_event"
    ]
    assert sorted(found) == ["login_failed", "rogue_ssid", "usb_modem", "usb_network"]


def _until(state: Path, holds: object) -> dict[str, dict[str, object]]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen = spooled(state)
        told = seen[-1].health.sources if seen else {}
        if told and holds(told):  # type: ignore[operator]
            return told
        time.sleep(0.1)
    raise AssertionError(f"it never came: {told}")
