"""The deep lane on real captures: which operations it sees, against tshark run by hand."""

import shutil
import subprocess
from collections import Counter

import pytest

from collector.capture import open_capture
from collector.deep.lane import DeepLane
from collector.deep.settings import DeepSettings
from collector.fastlane.lane import FastLane
from collector.packet import Pick
from tests.collector.feeder import frames_of, picks_of

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")

SVCCTL, DRSUAPI = "367abb81-9844-35f1-ad32-98f038001003", "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
WBEM, SPOOLSS = "9556dc99-828c-11cf-a37e-00aa003240c7", "12345678-1234-abcd-ef00-0123456789ab"
NETLOGON, SAMR = "12345678-1234-abcd-ef00-01234567cffb", "12345778-1234-abcd-ef00-0123456789ac"
ATSVC = "1ff70682-0a51-30e8-076d-740be8cee98b"


def told_of(path, settings: DeepSettings | None = None, cut: int = 0):
    """All sightings of a capture, fed whole or `cut` packets at a time."""
    buffer, picks = picks_of(frames_of(path), Pick.DEEP)
    lane, found = DeepLane(settings), []
    for start in range(0, len(picks), cut or len(picks)):
        lane.feed(buffer, picks[start : start + (cut or len(picks))])
        found += lane.drain() if cut else []
    found += lane.drain()
    lane.close()
    assert not lane.shed
    assert not lane.blind
    return found


@pytest.mark.parametrize(
    ("name", "interface", "operation", "pipe", "is_encrypted"),
    [
        ("lateral-movement/el_impacket_psexec.pcap", SVCCTL, 12, "svcctl", False),
        ("lateral-movement/el_smbexec.pcap", SVCCTL, 12, "svcctl", False),
        ("lateral-movement/pa_LM_psexec_smb_dcerpc_epm_svcctl.pcapng", SVCCTL, 45, "", True),
        ("lateral-movement/el_invoke-wmiexec.pcap", WBEM, 24, "", False),
        ("lateral-movement/sv_smb2-04_20171220_smb_at_schedule.pcap", ATSVC, 0, "atsvc", False),
        ("credential-access/el_dcsync.pcapng", DRSUAPI, 3, "", True),
        ("exploit/el_attempt-spools-vuln-cve-2021-1675.pcap", SPOOLSS, 89, "spoolss", False),
        ("recon-scan/mordor_empire_shell_samr_EnumDomainUsers_2020-09-21193527.cap", SAMR, 13,
         "samr", False),
    ],
)  # fmt: skip
def test_operations(captures, name, interface, operation, pipe, is_encrypted) -> None:
    calls = [s for s in told_of(captures / name) if s.kind == "dcerpc" and s.packet == "request"]
    assert any(
        (s.interface, s.operation, s.pipe, s.is_encrypted)
        == (interface, operation, pipe, is_encrypted)
        for s in calls
    )


def test_zerologon_shows_its_many_tries(captures) -> None:
    name = "pa_zerologon_mimikatz_ntlm_privacy_scan_and_exploit_encrypted.pcapng"
    tries = Counter(
        s.operation
        for s in told_of(captures / "lateral-movement" / name)
        if s.kind == "dcerpc" and s.packet == "request" and s.interface == NETLOGON
    )
    assert tries == {4: 96, 15: 96, 30: 1}


def test_doublepulsar_answers_with_another_multiplex_id(captures) -> None:
    path = captures / "lateral-movement/es_doublepulsar-backdoor-connect-win7.pcap"
    pings = [s for s in told_of(path) if s.kind == "smb" and s.command == 0x32]
    assert [(s.dialect, s.is_response, s.multiplex, s.status) for s in pings] == [
        (1, False, 65, 0),
        (1, True, 81, 0xC0000002),
    ]
    assert pings[0].trans2 == 0x000E


def test_psexec_files_and_the_servers_own_addresses(captures) -> None:
    told = told_of(captures / "lateral-movement/pa_LM_psexec_smb_dcerpc_epm_svcctl.pcapng")
    smb = [s for s in told if s.kind == "smb"]
    writes = [s for s in smb if s.command == 9 and s.file == "PSEXESVC.exe"]
    assert [s.magic for s in writes if not s.is_response] == ["MZ", "", "", ""]
    assert {s.tree for s in writes} == {r"\\172.16.66.36\ADMIN$"}
    assert ("172.16.66.36",) in {s.addresses for s in smb if s.ioctl == 0x001401FC}
    challenge = next(s for s in told if s.kind == "ntlm" and s.message == "challenge")
    assert (challenge.build, challenge.ip) == ("10.0.14393", "172.16.66.36")


def test_a_write_whose_other_segments_are_left_out_is_still_told(captures) -> None:
    path = captures / "lateral-movement/pa_LM_psexec_smb_dcerpc_epm_svcctl.pcapng"
    buffer, picks = picks_of(frames_of(path), Pick.DEEP)
    starts = [
        bytes(buffer[at + 4 : at + 8]) == b"\xfeSMB" or length < 1400
        for at, length in zip(picks["payload_offset"], picks["payload_length"], strict=True)
    ]
    assert sum(starts) < len(picks)
    lane = DeepLane()
    lane.feed(buffer, picks[starts])
    told = [s for s in lane.drain() if s.kind == "smb" and s.file == "PSEXESVC.exe"]
    lane.close()
    assert {s.command for s in told if not s.is_response} == {5, 6, 9, 16}
    assert [s.write_length for s in told if s.magic == "MZ"] == [65536]


def test_kerberoasting_asks_a_ticket_of_the_weak_type(captures) -> None:
    path = captures / "credential-access/sv_krb5-kerberoasting_kerberoast.pcap"
    ask, answer = (s for s in told_of(path) if s.kind == "kerberos")
    assert (ask.message, ask.service) == ("tgs_req", "HTTP/dc-mantvydas.offense.local")
    assert (answer.message, answer.client, answer.encryption) == ("tgs_rep", "spotless", 23)


def test_logons_with_and_without_proof(captures) -> None:
    path = captures / "benign/ndpi_kerberos.pcap"
    asks = [s for s in told_of(path) if s.kind == "kerberos" and s.message == "as_req"]
    assert {s.has_preauth for s in asks} == {True, False}
    assert {s.service for s in asks} >= {"krbtgt/happycraft.org", "krbtgt/HAPPYCRAFT"}
    assert 18 in asks[0].encryptions


def test_ldap_search(captures) -> None:
    path = captures / "recon-scan/el_tinkersec-ldapsearch.pcap"
    searches = [(s.base, s.filter) for s in told_of(path) if s.kind == "ldap"]
    assert ("DC=picklesworth,DC=local", "(objectclass=*)") in searches


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_cutting_does_not_matter(captures, cut: int) -> None:
    path = captures / "lateral-movement/el_cme-smb-chip-douglas.pcap"
    whole = told_of(path)
    assert [s.time_ns for s in whole] == sorted(s.time_ns for s in whole)
    assert told_of(path, cut=cut) == whole


@pytest.mark.parametrize(
    "name", ["lateral-movement/el_wmimplant.pcap", "lateral-movement/el_smbexec.pcap"]
)
def test_call_numbers_as_tshark_by_hand_has_them(captures, name: str) -> None:
    command = ["tshark", "-n", "-r", str(captures / name), "-Y", "dcerpc.pkt_type==0"]
    command += ["-T", "fields", "-e", "dcerpc.opnum"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    expected = Counter(int(n) for line in output.split() for n in line.split(","))
    calls = [s for s in told_of(captures / name) if s.kind == "dcerpc" and s.packet == "request"]
    assert expected
    assert Counter(s.operation for s in calls) == expected


def test_a_new_tshark_takes_over_and_calls_keep_their_interface(captures) -> None:
    name = "lateral-movement/pa_zerologon_mimikatz_ntlm_privacy_scan_and_exploit_encrypted.pcapng"
    buffer, picks = picks_of(frames_of(captures / name), Pick.DEEP)
    lane = DeepLane(DeepSettings(rotate_after=1000))
    told = []
    for _ in range(3):
        lane.feed(buffer, picks)
        told += lane.drain()
    lane.close()
    assert lane.rotations == 1
    calls = [s for s in told if s.kind == "dcerpc" and s.packet == "request" and s.operation == 4]
    assert {s.interface for s in calls} == {NETLOGON}
    assert len(calls) > 96


def test_a_new_tshark_still_knows_shares_and_files(captures) -> None:
    path = captures / "lateral-movement/pa_LM_psexec_smb_dcerpc_epm_svcctl.pcapng"
    buffer, picks = picks_of(frames_of(path), Pick.DEEP)
    lane = DeepLane()
    lane.feed(buffer, picks[:12])
    lane.drain()
    lane.close()  # as a rotation does, between the opening of a file and the first write to it
    lane.feed(buffer, picks[12:])
    writes = [s for s in lane.drain() if s.kind == "smb" and s.command == 9 and s.magic]
    lane.close()
    assert [(s.tree, s.file) for s in writes] == [(r"\\172.16.66.36\ADMIN$", "PSEXESVC.exe")]


@pytest.mark.parametrize(
    "name",
    [
        "lateral-movement/pa_LM_psexec_smb_dcerpc_epm_svcctl.pcapng",
        "lateral-movement/el_smbexec.pcap",
        "credential-access/el_dcsync.pcapng",
    ],
)
def test_the_fast_lanes_choice_loses_no_operation(captures, name: str) -> None:
    """Fed with what the fast lane picks, the lane tells the same calls and commands as with all."""
    lane, fast, chosen = DeepLane(), FastLane(), []
    with open_capture(captures / name) as capture:
        for chunk in capture:
            lane.feed(chunk.buffer, fast.feed(chunk).picks)
            chosen += lane.drain()
    lane.close()

    def operations(told):
        calls = [(s.packet, s.interface, s.operation, s.pipe) for s in told if s.kind == "dcerpc"]
        files = [(s.command, s.tree, s.file, s.magic) for s in told if s.kind == "smb"]
        return Counter(calls) + Counter(files)

    assert operations(chosen) == operations(told_of(captures / name))


@pytest.mark.parametrize(
    ("name", "protocol", "off_s"),
    [
        ("lateral-movement/el_cme-smb-chip-douglas.pcap", "smb2", 42),
        ("exploit/zeek_smb_SMBGhost.pcap", "smb2", -2),
        ("benign/ndpi_kerberos.pcap", "kerberos", -2),
    ],
)
def test_clocks_that_servers_show(captures, name, protocol, off_s) -> None:
    told = [s for s in told_of(captures / name) if s.kind == "clock"]
    assert told
    assert all(s.protocol == protocol for s in told)
    assert {round((s.clock_ns - s.time_ns) / 1e9) for s in told} == {off_s}
