"""The sample captures are what their scripts make, and real protocols as another program reads."""

import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from sample_pcaps.build import asset_ledger, capture_of, scripts
from sample_pcaps.hospital import HOSTS
from sample_pcaps.wire import Span, checksum

SCRIPTS = scripts()
CAPTURES = [script.with_suffix("") for script in SCRIPTS]


def named(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_the_script_makes_the_same_bytes(script: Path) -> None:
    assert capture_of(script) == script.with_suffix("").read_bytes()


def test_the_ledger_is_the_hospital() -> None:
    assert (SCRIPTS[0].parent / "assets.csv").read_text(encoding="utf-8") == asset_ledger()


def test_the_folder_stays_small() -> None:
    assert sum(c.stat().st_size for c in CAPTURES) < 8_000_000


def packets(capture: Path) -> list[tuple[int, bytes, int]]:
    """(time in µs, captured bytes, length on the wire) of every packet."""
    data, out, offset = capture.read_bytes(), [], 24
    while offset < len(data):
        seconds, micro, kept, wire = struct.unpack_from("<IIII", data, offset)
        out.append((seconds * 1_000_000 + micro, data[offset + 16 : offset + 16 + kept], wire))
        offset += 16 + kept
    return out


@pytest.mark.parametrize("capture", CAPTURES, ids=named)
def test_time_never_runs_back_and_ip_checksums_hold(capture: Path) -> None:
    last = 0
    for at, frame, wire in packets(capture):
        assert last <= at
        assert len(frame) <= wire
        if frame[12:14] == b"\x81\x00" and frame[16:18] == b"\x08\x00":
            assert checksum(frame[18:38]) == 0
        last = at


def test_captures_follow_one_another_in_time() -> None:
    spans = [[at for at, _, _ in packets(capture)] for capture in CAPTURES]
    for earlier, later in pairwise(spans):
        assert earlier[-1] < later[0]


def test_a_cut_packet_tells_its_true_length() -> None:
    span = Span("cut")
    span.udp(0, HOSTS["CT1"], 1000, HOSTS["PACS1"], 2000, bytes(500))
    span.ip(0, HOSTS["CT1"], HOSTS["PACS1"], 17, bytes(508), cut=20)
    (whole, cut) = struct.iter_unpack("<I", span.pcap()[24 + 12 : 24 + 16]), span.pcap()
    assert next(whole) == (18 + 20 + 508,)
    assert struct.unpack_from("<II", cut, 24 + 16 + 546 + 8) == (58, 546)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("capture", CAPTURES, ids=named)
def test_tshark_finds_nothing_malformed(capture: Path) -> None:
    assert tshark(capture, "_ws.malformed || ip.checksum.status == 0", "frame.number") == []


PROTOCOLS = {
    "01_quiet_days": "arp dhcp dhcpv6 lldp dns mdns ssdp nbns llmnr ntp snmp kerberos ldap smb2 "
    "ntlmssp tls pgsql http ipp dicom hl7 rdp isakmp esp",
    "10_vendor_pivot": "rdp smb2 dcerpc isakmp udpencap",
    "13_remote_tools": "wg tls",
}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", PROTOCOLS)
def test_tshark_names_the_protocols(name: str) -> None:
    capture = next(c for c in CAPTURES if c.stem == name)
    seen = {word for line in tshark(capture, "", "frame.protocols") for word in line.split(":")}
    assert set(PROTOCOLS[name].split()) <= seen


def test_the_service_is_made_on_the_emr_server() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    capture = next(c for c in CAPTURES if c.stem == "10_vendor_pivot")
    calls = tshark(capture, "svcctl && dcerpc.pkt_type == 0", "svcctl.opnum", "ip.src", "ip.dst")
    assert calls == [f"{n}\t10.20.10.41\t10.20.10.11" for n in (15, 12, 19, 0)]


def tshark(capture: Path, chosen: str, *fields: str) -> list[str]:
    """What tshark prints of these fields, a line a packet."""
    command = ["tshark", "-r", str(capture), "-o", "ip.check_checksum:TRUE", "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    command += ["-Y", chosen] if chosen else []
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
