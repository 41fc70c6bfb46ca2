"""Data carried in DNS and in ping is found; ordinary DNS and ping stay quiet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from collector.sightings import Dns
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lines.dns_tunnel import DnsTunnel, is_encoded, split_name
from detector.lines.icmp_tunnel import IcmpTunnel
from tests.detector.lines_windows import START, S, findings, flow, window

PC, RESOLVER = "192.168.10.5", "192.168.10.2"


def ask(name: str, query_type: str = "A", number: int = 0) -> Dns:
    return Dns(time_ns=START + number * S, ip=PC, peer_ip=RESOLVER, transport="udp",
               is_response=False, name=name, query_type=query_type)  # fmt: skip


def answer(name: str, query_type: str, size: int, number: int = 0) -> Dns:
    return Dns(time_ns=START + number * S, ip=RESOLVER, peer_ip=PC, transport="udp",
               is_response=True, name=name, query_type=query_type, answer_bytes=size)  # fmt: skip


def chunk(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:40]


def test_finds_data_in_names() -> None:
    found = findings(
        DnsTunnel(), sightings=[ask(f"{chunk(n)}.t.example", "TXT") for n in range(25)]
    )
    assert [(f.source, f.key) for f in found] == [(PC, "t.example")]


def test_an_answer_that_its_sender_forges_hides_no_tunnel() -> None:
    """Whoever answers once is no resolver; who asks on behalf of another is."""
    forged = replace(answer("x.example", "A", 4), ip=PC, peer_ip="192.168.10.9")
    names = [ask(f"{chunk(n)}.t.example", "TXT") for n in range(25)]
    assert [f.source for f in findings(DnsTunnel(), sightings=[forged, *names])] == [PC]
    relayed = [replace(n, ip=RESOLVER, peer_ip="198.51.100.1") for n in names]
    both = [said for pair in zip(names, relayed, strict=True) for said in pair]
    assert [f.source for f in findings(DnsTunnel(), sightings=both)] == [PC]


def test_finds_data_in_address_queries_when_there_is_much() -> None:
    names = [ask(f"{chunk(n)}.{chunk(n + 1)}.t.example") for n in range(110)]
    assert len(findings(DnsTunnel(), sightings=names)) == 1
    assert findings(DnsTunnel(), sightings=names[:50]) == []


def test_finds_tunnels_without_a_domain() -> None:
    names = [ask(f"dnscat.{chunk(n)}.{chunk(n + 9)}0", "MX") for n in range(25)]
    assert [f.key for f in findings(DnsTunnel(), sightings=names)] == ["no-domain"]


def test_finds_commands_in_answers() -> None:
    messages = [ask(f"l.{n}.ns.t.example", "TXT", n) for n in range(12)]
    messages += [answer(f"l.{n}.ns.t.example", "TXT", 200, n) for n in range(12)]
    assert [f.variant for f in findings(DnsTunnel(), sightings=messages)] == ["commands"]


def days_told(rates: Sequence[int], query_type: str = "A") -> list[int]:
    """The days on which something is told, at so many new names a day."""
    detector, hosts = DnsTunnel(), HostTable(Hospital())
    memory, told = detector.remember(), []
    for day, rate in enumerate(rates):
        names = [
            ask(f"{chunk(day * 1000 + n)}.q.vendor.example", query_type, day * 86_401 + n)
            for n in range(rate)
        ]
        seen = window(sightings=names, hosts=hosts, start_s=day * 86_401, length_s=86_400)
        told += [day for _ in detector.find(seen, memory)]
    return told


def test_steady_look_ups_become_a_habit_and_a_burst_does_not() -> None:
    assert days_told([180] * 12) == [0, 1, 2, 3, 4]
    assert days_told([180] * 8 + [390]) == [0, 1, 2, 3, 4, 8]
    assert days_told([180] * 8, "TXT") == list(range(8))


def test_stays_silent_about_listed_reputation_services() -> None:
    names = [ask(f"{chunk(n)}.{chunk(n + 1)}.avqs.mcafee.com") for n in range(150)]
    assert findings(DnsTunnel(), sightings=names) == []


def test_stays_silent_about_a_mail_server() -> None:
    messages = [ask(f"_dmarc.company{n}.example", "TXT") for n in range(50)]
    messages += [answer(f"_dmarc.company{n}.example", "TXT", 300) for n in range(50)]
    messages += [ask(f"selector{n}._domainkey.a.example", "TXT") for n in range(9)]
    assert findings(DnsTunnel(), sightings=messages) == []


def test_stays_silent_about_directory_and_reverse_names() -> None:
    names = [ask(f"_ldap._tcp.{chunk(n)}.domains._msdcs.hosp.example", "SRV") for n in range(150)]
    names += [ask(f"{n}.10.168.192.in-addr.arpa", "PTR") for n in range(150)]
    assert findings(DnsTunnel(), sightings=names) == []


def test_words_are_not_data_and_data_is_not_words() -> None:
    assert not is_encoded("prod-settings-frontdoor-europe")
    assert not is_encoded("www")
    assert is_encoded(chunk(1))
    assert is_encoded(base64.b32encode(bytes(range(40, 70))).decode().lower().rstrip("="))


def test_splits_names_at_the_registered_domain() -> None:
    assert split_name("a.b.example.co.jp.") == ("example.co.jp", "a.b")
    assert split_name("a.b.example.com") == ("example.com", "a.b")
    assert split_name("x.19e4d0") == ("", "x.19e4d0")
    assert split_name("") == ("", "")


def test_finds_pings_whose_answers_differ() -> None:
    ping = flow("10.0.0.1", "10.0.0.2", 0, protocol=1, source_port=8, packets=300, bytes=300 * 112,
                reply_packets=300, reply_bytes=300 * 160, app="icmp",
                reply_ttl_max=64)  # fmt: skip
    assert [f.app for f in findings(IcmpTunnel(), [ping])] == ["icmp_tunnel"]


def test_finds_the_tunnel_when_answers_are_flows_of_their_own() -> None:
    asked = flow("10.0.0.1", "10.0.0.2", 0, protocol=1, source_port=8, packets=300,
                 bytes=300 * 112, reply_packets=0, reply_bytes=0)  # fmt: skip
    answered = flow("10.0.0.2", "10.0.0.1", 0, protocol=1, source_port=0, packets=300,
                    bytes=300 * 160, reply_packets=0, reply_bytes=0)  # fmt: skip
    assert len(findings(IcmpTunnel(), [asked, answered])) == 1


def test_stays_silent_about_pings_that_an_exporter_counted() -> None:
    ping = flow("10.0.0.1", "10.0.0.2", 0, protocol=1, source_port=8, packets=300, bytes=300 * 112,
                reply_packets=300, reply_bytes=300 * 160, ttl_max=0)  # fmt: skip
    assert findings(IcmpTunnel(), [ping]) == []
    # Forty bytes of a carrier's own header are counted on the way out, and no TTL on the way back.
    carried = flow("10.0.0.1", "10.0.0.2", 0, protocol=1, source_port=0, packets=59, bytes=7316,
                   reply_packets=59, reply_bytes=4956)  # fmt: skip
    assert findings(IcmpTunnel(), [carried]) == []


def test_stays_silent_about_monitoring_by_ping() -> None:
    steady = flow("10.0.0.1", "10.0.0.2", 0, protocol=1, source_port=8, packets=3000,
                  bytes=3000 * 1028, reply_packets=2990, reply_bytes=2990 * 1028,
                  reply_ttl_max=64)  # fmt: skip
    dead = flow("10.0.0.1", "10.0.0.3", 0, protocol=1, source_port=8, packets=3000,
                bytes=3000 * 84, reply_packets=0, reply_bytes=0)  # fmt: skip
    assert findings(IcmpTunnel(), [steady, dead]) == []
