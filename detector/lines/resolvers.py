"""Hosts that look names up for others; what they ask in turn is not their own wish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from collector.sightings import Dns

#: One answer is a datagram that anybody can send; this many hosts asked and were answered.
CLIENTS: Final = 3
_RELAYED_NS: Final = 60_000_000_000  # a question asked on behalf of another follows within this
_MOST_SERVERS: Final = 10_000
_MOST_ASKED: Final = 50_000


@dataclass
class Resolvers:
    """Who answered the questions of others, and what it was asked lately."""

    clients: dict[str, list[str]] = field(default_factory=dict)  # server → the first few
    asked: dict[tuple[str, str], int] = field(default_factory=dict)  # server, name → when last

    def learn(self, messages: Iterable[Dns]) -> None:
        """Take in questions and answers in the order of their time."""
        for said in messages:
            name = said.name.lower()  # some resolvers mix the case of what they ask
            if not said.is_response:
                self.asked.pop((said.peer_ip, name), None)
                self.asked[said.peer_ip, name] = said.time_ns
                if len(self.asked) > _MOST_ASKED:
                    del self.asked[next(iter(self.asked))]
            elif (said.ip, name) in self.asked:
                self._answered(said.ip, said.peer_ip)

    def _answered(self, server: str, client: str) -> None:
        clients = self.clients.pop(server, [])
        self.clients[server] = clients  # the latest stand last
        if client not in clients and len(clients) < CLIENTS:
            clients.append(client)
        if len(self.clients) > _MOST_SERVERS:
            del self.clients[next(iter(self.clients))]

    def is_one(self, host: str) -> bool:
        """Has this host answered what several others asked it."""
        return len(self.clients.get(host, ())) >= CLIENTS

    def relays(self, host: str, name: str, time_ns: int) -> bool:
        """Does this host ask for the name because others ask it."""
        asked_ns = self.asked.get((host, name.lower()))
        is_asked = asked_ns is not None and abs(time_ns - asked_ns) <= _RELAYED_NS
        return is_asked or self.is_one(host)
