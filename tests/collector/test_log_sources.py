"""Suricata's and Zeek's logs and syslog files: what they tell, followed over every rotation."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.apps import APPS
from collector.flows import STATES, address_text
from collector.foreign.log_lines import EveLines, RecordLines, ZeekLines
from collector.foreign.opening import zeek_log
from collector.foreign.tail import Tail
from collector.foreign.zeek_rows import LOGS
from collector.replay import Replay
from collector.settings import CollectorSettings
from collector.sightings import AttackBytes, Dhcp, Dns, IdsAlert, TlsClientHello
from collector.sources.logs import SuricataLog, ZeekLogs
from tests.collector.collecting import Collecting

HEAD = (
    "#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto"
    "\trtt\tquery\tqtype_name\trcode\tanswers\n"
)
FORTIGATE = (
    b'<189>date=2026-10-01 time=09:00:00 tz="+0900" devname="FG" type="traffic" action="close" '
    b"srcip=10.1.2.3 srcport=50123 dstip=203.0.113.9 dstport=443 proto=6 duration=12 "
    b'service="HTTPS" sentbyte=1200 rcvdbyte=88000 sentpkt=14 rcvdpkt=70 vlanid=30\n'
)


def eve(event: str, at: str = "2026-10-01T09:00:00.123456+0900", **more: Any) -> bytes:
    told = {
        "timestamp": at, "event_type": event, "src_ip": "10.1.2.3", "src_port": 50_123,
        "dest_ip": "10.1.0.53", "dest_port": 53, "proto": "UDP", "vlan": [30], **more,
    }  # fmt: skip
    return json.dumps(told).encode() + b"\n"


def eve_flow(port: int) -> bytes:
    flow = {
        "pkts_toserver": 5, "pkts_toclient": 4, "bytes_toserver": 700, "bytes_toclient": 900,
        "start": "2026-10-01T09:00:00.000001+0900", "end": "2026-10-01T09:00:02.500000+0900",
        "state": "closed", "reason": "timeout",
    }  # fmt: skip
    tcp = {"tcp_flags_ts": "1b", "tcp_flags_tc": "1b"}
    ether = {"src_macs": ["02:00:00:00:00:05"], "dest_macs": ["02:00:00:00:00:06"]}
    return eve(
        "flow", src_port=port, dest_port=445, proto="TCP", app_proto="smb", flow=flow, tcp=tcp,
        ether=ether,
    )  # fmt: skip


def test_a_suricata_flow_is_a_flow() -> None:
    flows, _ = EveLines("s").feed(eve_flow(50_000) + b"{broken\n")
    assert len(flows) == 1
    assert (address_text(*flows.source[0]), flows.vlan[0]) == ("10.1.2.3", 30)
    assert (APPS[flows.app[0]], STATES[flows.state[0]]) == ("smb", "SF")
    assert (flows.packets[0], flows.bytes[0], flows.reply_bytes[0]) == (5, 630, 844)
    assert flows.last_ns[0] - flows.first_ns[0] == 2_499_999_000
    assert flows.source_mac[0] == 0x02_00_00_00_00_05


def test_suricata_names_handshakes_and_alerts_are_sightings() -> None:
    answer = {
        "type": "answer", "rrname": "PACS.example", "rrtype": "A", "rcode": "NOERROR",
        "answers": [{"rrname": "pacs.example", "rrtype": "A", "rdata": "10.1.9.9"}],
    }  # fmt: skip
    alert = {
        "gid": 1, "signature_id": 2_010_935, "signature": "ET SCAN", "severity": 2,
        "action": "blocked", "metadata": {"mitre_technique_id": ["T1046"]},
    }  # fmt: skip
    tls = {"sni": "Example.JP", "version": "TLS 1.2", "subject": "CN=x", "issuerdn": "CN=y"}
    text = eve("dns", dns=answer) + eve("tls", tls=tls, proto="TCP", dest_port=443)
    lines = EveLines("s")
    _, seen = lines.feed(text + eve("alert", alert=alert) + eve("dns", at="yesterday", dns=answer))
    dns, hello, certificate, said = seen
    assert isinstance(dns, Dns) and dns.is_response and dns.answers == ("10.1.9.9",)
    assert (dns.ip, dns.peer_ip) == ("10.1.0.53", "10.1.2.3")
    assert isinstance(hello, TlsClientHello) and hello.sni == "example.jp"
    assert (certificate.ip, certificate.port) == ("10.1.0.53", 443)
    assert isinstance(said, IdsAlert)
    assert (said.signature_id, said.signature, said.severity) == ("1:2010935", "ET SCAN", "medium")
    assert (said.is_stopped, said.techniques) == (True, ("T1046",))
    assert lines.malformed == {"suricata: dns record that cannot be read": 1}


FORTIGATE_IPS = (
    b'<185>date=2026-10-01 time=09:00:00 tz="+0900" devname="FG" type="utm" subtype="ips" '
    b'eventtype="signature" level="alert" severity="critical" srcip=10.1.2.3 dstip=10.1.0.9 '
    b'action="dropped" proto=6 service="SMB" attack="MS.SMB.Server.Code.Execution" srcport=4936 '
    b"dstport=445 attackid=15621\n"
)
SNORT = (
    b"<33>Oct  1 09:00:00 ids snort[77]: [1:2019401:3] ET MALWARE Beacon [Classification: A "
    b"Network Trojan was detected] [Priority: 1] {TCP} 10.1.2.3:50123 -> 203.0.113.9:443\n"
)


def test_a_hostile_name_in_a_log_steers_no_terminal() -> None:
    line = (
        b'{"timestamp":"2026-10-14T09:00:01.000000+0900","event_type":"tls","src_ip":"10.0.0.5",'
        b'"src_port":1235,"dest_ip":"203.0.113.6","dest_port":443,"proto":"TCP",'
        b'"tls":{"sni":"a.example\\u001b]0;x\\u0007"}}\n'
    )
    [told] = EveLines("s").feed(line)[1]
    assert isinstance(told, TlsClientHello)
    assert told.sni == r"a.example\x1b]0;x\x07"


def test_an_address_with_words_behind_it_is_no_host() -> None:
    alert = {"signature": "x", "signature_id": 1, "severity": 1}
    line = json.loads(eve("alert", src_port=1, dest_port=445, proto="TCP", alert=alert))
    line["src_ip"] = "fe80::1%x\nexecute reboot"
    assert all(
        "%" not in told.ip for told in EveLines("s").feed(json.dumps(line).encode() + b"\n")[1]
    )


def test_fortigates_and_snorts_records_are_alerts_of_an_ids() -> None:
    _, seen = RecordLines("s", 2026).feed(FORTIGATE_IPS + SNORT)
    forti, snort = seen
    assert isinstance(forti, IdsAlert) and isinstance(snort, IdsAlert)
    assert (forti.monitor, forti.severity, forti.is_stopped) == ("fortigate", "critical", True)
    assert (forti.ip, forti.peer_ip, forti.peer_port) == ("10.1.2.3", "10.1.0.9", 445)
    assert forti.signature == "MS.SMB.Server.Code.Execution"
    assert (snort.signature, snort.signature_id) == ("ET MALWARE Beacon", "1:2019401")
    assert (snort.category, snort.severity) == ("A Network Trojan was detected", "high")
    assert (snort.ip, snort.port, snort.peer_port) == ("10.1.2.3", 50_123, 443)


def test_a_zeek_notice_of_an_attack_is_an_alert_and_names_its_hosts() -> None:
    told = {
        "ts": 1_790_000_001.0, "note": "SSH::Password_Guessing", "src": "10.1.2.3",
        "msg": "10.1.2.3 appears to be guessing SSH passwords", "actions": ["Notice::ACTION_LOG"],
    }  # fmt: skip
    plain = {**told, "note": "SSL::Certificate_Expired", "dst": "10.1.0.9"}
    lines = b"".join(json.dumps(line).encode() + b"\n" for line in (told, plain))
    _, (attack, routine) = ZeekLines("notice", "s").feed(lines)
    assert isinstance(attack, IdsAlert) and isinstance(routine, IdsAlert)
    assert (attack.ip, attack.peer_ip, attack.severity) == ("10.1.2.3", "", "medium")
    assert (routine.peer_ip, routine.severity) == ("10.1.0.9", "info")


def dns_line(number: int) -> str:
    cells = (1_790_000_000 + number, "10.1.2.3", 50_000, "10.1.0.53", 53, "udp", "0.25")
    return "\t".join(map(str, cells)) + f"\tHost{number}.example\tA\t0\t10.9.9.9,alias.example\n"


def test_a_zeek_line_tells_question_and_answer_in_both_forms() -> None:
    _, table = ZeekLines("dns", "s").feed((HEAD + dns_line(1)).encode())
    told = {
        "ts": 1_790_000_001.0, "id.orig_h": "10.1.2.3", "id.orig_p": 50_000, "proto": "udp",
        "id.resp_h": "10.1.0.53", "id.resp_p": 53, "rtt": 0.25, "query": "Host1.example",
        "qtype_name": "A", "rcode": 0, "answers": ["10.9.9.9", "alias.example"],
    }  # fmt: skip
    _, objects = ZeekLines("dns", "s").feed(json.dumps(told).encode() + b"\n")
    assert table == objects
    question, answer = table
    assert isinstance(question, Dns) and not question.is_response
    assert isinstance(answer, Dns) and answer.answers == ("10.9.9.9", "alias.example")
    assert answer.time_ns - question.time_ns == 250_000_000
    assert (answer.ip, answer.port) == ("10.1.0.53", 53)


def test_zeeks_leases_and_programs() -> None:
    lease = {
        "ts": 1.5, "mac": "02:00:00:00:00:05", "client_addr": "10.1.2.3", "host_name": "CT-1",
        "server_addr": "10.1.0.1", "assigned_addr": "10.1.2.3", "msg_types": ["REQUEST", "ACK"],
    }  # fmt: skip
    _, (asked, given_) = ZeekLines("dhcp", "s").feed(json.dumps(lease).encode())
    assert isinstance(asked, Dhcp) and (asked.message, asked.host_name) == ("request", "CT-1")
    assert isinstance(given_, Dhcp) and (given_.message, given_.your_ip) == ("ack", "10.1.2.3")
    sent = {"ts": 1.5, "tx_hosts": ["192.0.2.7"], "rx_hosts": ["10.1.2.3"], "source": "HTTP",
            "mime_type": "application/x-dosexec", "seen_bytes": 90_000}  # fmt: skip
    _, (program,) = ZeekLines("files", "s").feed(json.dumps(sent).encode())
    assert isinstance(program, AttackBytes)
    assert (program.mark, program.format, program.ip) == ("http_program", "pe", "192.0.2.7")


def test_a_firewalls_traffic_record_is_a_flow_at_its_own_time() -> None:
    flows, _ = RecordLines("s", 2026).feed(FORTIGATE)
    assert len(flows) == 1
    assert int(flows.last_ns[0]) == 1_790_812_800_000_000_000  # 09:00 in Japan
    assert flows.last_ns[0] - flows.first_ns[0] == 12_000_000_000
    assert (flows.bytes[0], flows.reply_packets[0], flows.vlan[0]) == (1200, 70, 30)
    assert (APPS[flows.app[0]], STATES[flows.state[0]]) == ("tls", "SF")


def test_a_replay_reads_logs_side_by_side_in_one_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "dns.log").write_text(HEAD + "".join(dns_line(n) for n in range(50)))
    (tmp_path / "eve.json").write_bytes(b"".join(eve_flow(2000 + n) for n in range(20)))
    (tmp_path / "fw.log").write_bytes(FORTIGATE)
    (tmp_path / "notes.json").write_text("{}")
    from collector.capture.finding import find_captures

    found = find_captures([tmp_path])
    assert [path.name for path in found] == ["dns.log", "eve.json", "fw.log"]
    replay, reached = Replay(CollectorSettings()), 0
    flows = sightings = 0
    for seen in replay.read(found):
        times = [s.time_ns for s in seen.sightings] + seen.flows.reported_ns.tolist()
        assert not times or min(times) >= reached
        reached = max([reached, *times])
        flows, sightings = flows + len(seen.flows), sightings + len(seen.sightings)
    assert (flows, sightings, replay.faults) == (21, 100, [])


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_no_bytes_crash_a_reader(noise: bytes, at: int) -> None:
    for lines, text in (
        (EveLines("s"), eve_flow(1) + eve("dns", dns={"rrname": "x"})),
        (ZeekLines("dns", "s"), (HEAD + dns_line(1)).encode()),
        (ZeekLines("conn", "s"), (HEAD + dns_line(1)).encode()),
        (RecordLines("s", 2026), FORTIGATE),
    ):
        lines.feed(text[:at] + noise + text[at:] + b"\n")  # type: ignore[attr-defined]


@pytest.mark.parametrize("year", ["0001", "1969", "2263", "9999"])
def test_times_that_no_flow_can_carry_are_counted(year: str) -> None:
    """Found by fuzzing: a date after 2262 stopped the reader."""
    for lines, text in (
        (EveLines("s"), eve_flow(1).replace(b"2026", year.encode())),
        (RecordLines("s", 2026), FORTIGATE.replace(b"2026", year.encode())),
        (RecordLines("s", 2026), FORTIGATE.replace(b"date=", b"eventtime=9999999999999999999 d=")),
    ):
        flows, _ = lines.feed(text)  # type: ignore[attr-defined]
        assert not len(flows)
        assert sum(lines.malformed.values()) == 1  # type: ignore[attr-defined]


def drain(tail: Tail) -> list[str]:
    """All that is there now, and after a rotation's grace."""
    told = b""
    for _ in range(4):
        told += tail.read().text
    return told.decode().split()


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.foreign.tail._GRACE_S", 0)


def test_every_line_once_when_a_log_is_renamed(tmp_path: Path, no_grace: None) -> None:
    path = tmp_path / "eve.json"
    path.write_text("a\nb\nhal")
    tail = Tail(path, from_start=True)
    assert drain(tail) == ["a", "b"]
    path.rename(tmp_path / "eve.json.1")
    with (tmp_path / "eve.json.1").open("a") as old:
        old.write("f\nc\n")
    assert drain(tail) == ["half", "c"]
    path.write_text("d\n")
    assert drain(tail) == ["d"]
    assert (tail.rotated, tail.cut, tail.missed) == (1, 0, 0)
    tail.close()


def test_every_line_once_when_a_log_is_cut_in_place(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_text("a\n" * 300)
    tail = Tail(path, from_start=True)
    assert len(drain(tail)) == 300
    path.write_text("b\n")
    assert drain(tail) == ["b"]
    path.write_text("c\n" * 300)
    drain(tail)
    path.write_text("d\n" * 900)  # longer than before by the time we look
    assert drain(tail) == ["d"] * 900
    assert tail.cut == 3
    tail.close()


def test_after_a_restart_the_renamed_log_is_read_to_its_end_first(
    tmp_path: Path, no_grace: None
) -> None:
    path = tmp_path / "eve.json"
    path.write_text("a\nb\n")
    tail = Tail(path, from_start=True)
    assert drain(tail) == ["a", "b"]
    tail.close()
    with path.open("a") as writing:
        writing.write("c\n")
    path.rename(tmp_path / "eve.json.1")
    path.write_text("d\n")
    again = Tail(path, tail.place)
    assert drain(again) == ["c", "d"]
    again.close()
    path.unlink()
    path.write_text("e\n")
    gone = Tail(path, again.place)
    assert drain(gone) == ["e"]
    assert gone.missed == 1
    gone.close()


def test_a_log_is_first_read_from_its_end_with_its_head_known(tmp_path: Path) -> None:
    path = tmp_path / "dns.log"
    path.write_text(HEAD + dns_line(1))
    tail, lines = Tail(path), ZeekLines("dns", "s")
    first = tail.read()
    assert first.text == b""
    lines.begin(first.head)
    with path.open("a") as writing:
        writing.write(dns_line(2))
    _, seen = lines.feed(tail.read().text)
    tail.close()
    assert [s.name for s in seen if isinstance(s, Dns)] == ["host2.example"] * 2


def test_suricata_is_followed_over_a_kill_and_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(b"".join(eve_flow(2000 + n) for n in range(10)))
    following = Collecting(tmp_path, {"kind": "suricata", "path": str(path), "from_start": True})
    try:
        following.until_flows(10)
        time.sleep(1.5)  # so that its place is noted, too
        following.kill()
        with path.open("ab") as writing:
            writing.write(b"".join(eve_flow(3000 + n) for n in range(10)))
        path.rename(tmp_path / "eve.json.1")
        path.write_bytes(b"".join(eve_flow(4000 + n) for n in range(10)))
        following.start()
        flows = following.until_flows(30)
        following.end()
    finally:
        following.kill()
    expected = [*range(2000, 2010), *range(3000, 3010), *range(4000, 4010)]
    assert sorted(flows.source_port.tolist()) == expected


def test_every_zeek_log_that_can_be_read_is_followed() -> None:
    source = ZeekLogs(kind="zeek", folder=Path("/none"))
    assert set(source.logs) == LOGS | {"conn"}


def test_a_source_that_fails_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Tail] = []

    class Noted(Tail):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words)
            opened.append(self)

    def fail(*_: Any) -> None:
        raise KeyError("as a fault in a reader would")

    monkeypatch.setattr("collector.foreign.tail.Tail", Noted)
    monkeypatch.setattr("collector.foreign.log_lines.EveLines.feed", fail)
    path = tmp_path / "eve.json"
    path.write_text("{}\n")
    post = SimpleNamespace(
        health={}, ending=Event(), settings=SimpleNamespace(sensor="s"),
        notebook=lambda _: SimpleNamespace(get=lambda _: ""),
    )  # fmt: skip
    with pytest.raises(KeyError):
        SuricataLog(kind="suricata", path=path, from_start=True).run(post)  # type: ignore[arg-type]
    assert [tail._file for tail in opened] == [None]


@pytest.mark.parametrize(
    ("name", "log"),
    [
        ("dns.log", "dns"),
        ("dns.10:00:00-11:00:00.log.gz", "dns"),
        ("dhcp_2026-10-14.log", "dhcp"),
        ("ward-3_dhcp.log", "dhcp"),
        ("weird.log", "weird"),
    ],
)
def test_a_zeek_log_is_told_by_its_name(name: str, log: str) -> None:
    assert zeek_log(Path(name)) == log
