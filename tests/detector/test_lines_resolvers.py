"""Who asks for others; and who only says so."""

from __future__ import annotations

from dataclasses import replace

from collector.sightings import Dns
from detector.lines.resolvers import Resolvers

S = 1_000_000_000


def asks(client: str, server: str, name: str, at_s: float = 0) -> Dns:
    return Dns(
        time_ns=int(at_s * S), ip=client, peer_ip=server, transport="udp", is_response=False,
        name=name, query_type="A",
    )  # fmt: skip


def answers(query: Dns) -> Dns:
    return replace(query, ip=query.peer_ip, peer_ip=query.ip, is_response=True)


def knowing(*messages: Dns) -> Resolvers:
    resolvers = Resolvers()
    resolvers.learn(messages)
    return resolvers


def test_what_others_ask_of_a_host_is_not_its_own_wish() -> None:
    resolvers = knowing(asks("pc", "dc", "x.example"))
    assert resolvers.relays("dc", "X.example", 2 * S)
    assert not resolvers.relays("dc", "y.example", 2 * S)
    assert not resolvers.relays("dc", "x.example", 3600 * S)
    assert not resolvers.relays("pc", "x.example", 2 * S)


def test_three_clients_that_were_answered_make_a_resolver() -> None:
    queries = [asks(f"pc{n}", "dc", f"{n}.example") for n in range(3)]
    said = [m for q in queries for m in (q, answers(q))]
    assert knowing(*said).is_one("dc")
    assert knowing(*said).relays("dc", "what.it.fetches.ahead", 9999 * S)
    assert not knowing(*said[:4]).is_one("dc")
    assert not knowing(*queries).is_one("dc")
    assert not knowing(*map(answers, queries)).is_one("dc")
    assert not knowing(*(said[:2] * 3)).is_one("dc")


def test_a_flood_of_forged_servers_stays_bounded() -> None:
    resolvers = Resolvers()
    for n in range(60_000):
        query = asks("pc", f"s{n}", f"{n}.example")
        resolvers.learn((query, answers(query)))
    assert len(resolvers.asked) == 50_000
    assert len(resolvers.clients) == 10_000
