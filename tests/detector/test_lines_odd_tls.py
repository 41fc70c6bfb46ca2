"""TLS as wrappers speak it: to a bare address, with a certificate of its own."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from collector.sightings import Sighting, TlsCertificate, TlsClientHello
from detector.detection import Finding
from detector.hospital import Hospital, RegisteredLine, Segment
from detector.hosts import HostTable
from detector.lines.new_destination import NewDestination
from detector.lines.unnamed_tunnel import UnnamedTunnel
from tests.detector.lines_windows import START, fill, findings, flow, window

PC, PLACE = "10.20.30.51", "198.51.100.77"
CLOSED = Hospital(
    segments=(Segment(name="放射線", prefixes=(ip_network("10.20.0.0/16"),), closed=True),)
)
OPEN = Hospital(segments=(Segment(name="放射線", prefixes=(ip_network("10.20.0.0/16"),)),))


def hello(sni: str = "", transport: str = "tcp") -> TlsClientHello:
    return TlsClientHello(time_ns=START, ip=PC, peer_ip=PLACE, sni=sni, transport=transport)


def shown(subject: str, issuer: str) -> TlsCertificate:
    return TlsCertificate(time_ns=START, ip=PLACE, peer_ip=PC, subject=subject, issuer=issuer)


NAMED = hello("relay.example.jp")
OWN = shown("CN=localhost", "CN=localhost")


@pytest.mark.parametrize(
    ("said", "variant", "score"),
    [
        ([hello()], "odd_tls", 80),
        ([hello(PLACE)], "odd_tls", 80),  # an address in a name's place
        ([NAMED, OWN], "odd_tls", 80),
        ([NAMED], "", 75),
        ([NAMED, shown("CN=relay.example.jp", "CN=Example CA")], "", 75),
        ([hello(transport="quic")], "", 75),
        ([hello(), NAMED], "", 75),
        ([], "", 75),
    ],
)
def test_a_closed_machine_that_speaks_tls_to_a_bare_address(
    said: list[Sighting], variant: str, score: float
) -> None:
    told = findings(NewDestination(), [flow(PC, PLACE, app="tls")], said, CLOSED)
    assert [(f.variant, f.score) for f in told] == [(variant, score)]
    assert ("T1573" in told[0].techniques) == (variant == "odd_tls")


def test_an_attempt_and_a_registered_place_stay_what_they_are() -> None:
    knock = flow(PC, PLACE, reply_packets=0)
    assert [f.variant for f in findings(NewDestination(), [knock], [hello()], CLOSED)] == [
        "attempt"
    ]
    line = RegisteredLine(id="L", vendor="v", line_type="専用線", outside=(PLACE,))
    plan = CLOSED.model_copy(update={"lines": (line,)})
    assert findings(NewDestination(), [flow(PC, PLACE)], [hello()], plan) == []


def hour(said: list[Sighting]) -> list[Finding]:
    """A busy connection of seventy minutes to a place that nobody else uses."""
    detector, hosts = UnnamedTunnel(), HostTable(OPEN)
    memory, told = detector.remember(), []
    crowd = [flow(f"10.20.30.{n}", "10.20.80.1", 445) for n in range(1, 61)]
    list(detector.find(window(crowd, said, OPEN, hosts), memory))
    for n in range(70):
        row = flow(PC, PLACE, app="tls", at_s=60 * n, lasts_s=59, part=n, packets=3000,
                   bytes=600_000, reply_packets=3000, reply_bytes=2_000_000)  # fmt: skip
        told += detector.find(window([row], (), OPEN, hosts, start_s=60 * n), memory)
    assert all(fill(detector, f) for f in told)
    return told


def test_odd_tls_adds_to_what_behaves_like_a_tunnel() -> None:
    assert [f.facts["signs"] for f in hour([hello()])] == [["duration", "rarity", "nameless"]]
    assert len(hour([hello(), OWN])) == 1  # two oddities are one sign
    assert hour([NAMED]) == []
