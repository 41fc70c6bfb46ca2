"""The attackers' moves: each leaves flows and sightings as the real tool would, and its truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from collector.sightings import Dcerpc, RdpRequest, Sighting, Smb
from sample_pcaps.simulated.calendar import DAY_S, midnight_ns
from sample_pcaps.simulated.emit import Day
from sample_pcaps.simulated.house import House
from sample_pcaps.simulated.sealed import encrypting, say
from sample_pcaps.simulated.servers import SAMR, SRVSVC, SVCCTL
from sample_pcaps.simulated.told import CLIENT_PORT, Told

#: Sightings that a port which is a member of every VLAN gets without mirroring.
BROADCAST: Final = frozenset({"arp", "dhcp", "name", "ssdp", "router_advertisement"})
#: The destination of what is broadcast.
EVERYBODY: Final = -1


@dataclass
class Step:
    """One move: what, by whom, against whom, when, and when each kind of sensor first saw it."""

    name: str
    technique: str
    stage: str
    actors: tuple[str, ...]
    targets: tuple[str, ...]
    start_ns: int
    end_ns: int
    visible_ns: dict[str, int] = field(default_factory=dict)


@dataclass
class Scenario:
    """One attack or one benign twin of it."""

    id: str
    title: str
    is_attack: bool
    steps: list[Step] = field(default_factory=list)
    line: str = ""
    impact_ns: int = 0  # when encryption or theft began, 0 = never

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "steps": [s.__dict__ for s in self.steps]}


@dataclass
class Stage:
    """Where a scenario plays: the days that are being made, by number."""

    house: House
    rng: np.random.Generator
    days: dict[int, tuple[Day, Told]]
    scenario: Scenario
    _hosts: list[tuple[int, tuple[int, ...], tuple[str, ...]]] = field(default_factory=list)

    def at(self, when: float) -> tuple[Day, Told, float]:
        """The day that holds a second counted from the first day's midnight."""
        number = int(when // DAY_S)
        day, told = self.days[number]
        return day, told, when - number * DAY_S

    def flow(
        self, when: float, source: int, target: int, port: int, app: str, **columns: Any
    ) -> None:
        day, _, second = self.at(when)
        rows = day.add(source, target, second, port, app, **columns)
        if app == "dcerpc":
            rows["sport"] = CLIENT_PORT  # that of the packets that are told of it
        step = self.scenario.steps[-1]
        seen_ns = midnight_ns(0) + int(when * 1e9)
        step.end_ns = max(step.end_ns, seen_ns + int(float(columns.get("seconds", 0.2)) * 1e9))
        house = self.house
        is_routed = house.vlan[source] != house.vlan[target]
        if house.is_mirrored(source, target):
            _earlier(step, "span", seen_ns)
        if is_routed:
            _earlier(step, "netflow", seen_ns)
            _earlier(step, "sampled", seen_ns)

    def tell(
        self, when: float, kind: type[Sighting], source: int, peer: int, port: int, **fields: Any
    ) -> None:
        _, told, second = self.at(when)
        told.add(kind, second, source, peer, port, **fields)
        step = self.scenario.steps[-1]
        seen_ns = midnight_ns(0) + int(when * 1e9)
        step.end_ns = max(step.end_ns, seen_ns)
        if peer < 0 or self.house.is_mirrored(source, peer):
            _earlier(step, "span", seen_ns)
        if kind.kind in BROADCAST:
            _earlier(step, "listener", seen_ns)

    def back(
        self, when: float, kind: type[Sighting], source: int, peer: int, port: int, **fields: Any
    ) -> None:
        _, told, second = self.at(when)
        told.back(kind, second, source, peer, port, **fields)

    def step(
        self,
        name: str,
        technique: str,
        stage: str,
        when: float,
        actor: int,
        targets: Iterable[int],
        *aliases: str,
    ) -> None:
        """Begin a move; what follows belongs to it. `aliases`: the actor's further addresses."""
        at_ns = midnight_ns(0) + int(when * 1e9)
        aims = tuple(targets)
        self._hosts.append((actor, aims, aliases))
        self.scenario.steps.append(
            Step(name, technique, stage, *self._addresses(len(self._hosts) - 1), at_ns, at_ns)
        )

    def settle(self, number: int) -> None:
        """Moves of a day name the addresses of that day: leases change between play and move."""
        for at, step in enumerate(self.scenario.steps):
            if midnight_ns(number) <= step.start_ns < midnight_ns(number + 1):
                step.actors, step.targets = self._addresses(at)

    def _addresses(self, at: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        actor, targets, aliases = self._hosts[at]
        return (self.house.ip(actor), *aliases), tuple(self.house.ip(t) for t in targets)

    def rdp(self, when: float, source: int, target: int, seconds: float, user: str) -> None:
        self.flow(when, source, target, 3389, "rdp", seconds=seconds, up=3e5, down=4e6)
        self.tell(when, RdpRequest, source, target, 3389, cookie=user)

    def look_around(self, when: float, source: int, targets: list[int], gap_s: float) -> float:
        """Tries hosts one after another; who reads the directory first meets few dead ones."""
        rng = self.rng
        knows = rng.random() < 0.5
        port = int(rng.choice([445, 3389, 135]))
        app = {445: "smb", 3389: "rdp", 135: "dcerpc"}[port]
        self.step(
            "looks for hosts",
            "T1018" if knows else "T1046",
            "reconnaissance",
            when,
            source,
            targets,
        )
        for target in targets:
            alive = knows or rng.random() < 0.45
            served = self.house.roles[target] not in ("printer", "unknown", "camera")
            state = "SF" if alive and served else "REJ" if alive else "S0"
            if state == "SF":
                self.flow(when, source, target, port, app, state="RSTO", up=120, down=200)
            else:
                self.flow(when, source, target, port, "unknown", state=state, seconds=3.0)
            when += float(rng.exponential(gap_s))
        return when

    def enumerate_accounts(self, when: float, source: int, dc: int, hidden: bool) -> float:
        self.step("lists accounts and shares", "T1087", "reconnaissance", when, source, [dc])
        self.flow(when, source, dc, 445, "smb", seconds=6, up=9000, down=60000)
        for n, (interface, operation) in enumerate(
            ((SAMR, 6), (SAMR, 13), (SAMR, 25), (SRVSVC, 15), (SRVSVC, 12))
        ):
            if not hidden:
                self.tell(
                    when + n,
                    Dcerpc,
                    source,
                    dc,
                    445,
                    packet="request",
                    interface=interface,
                    operation=operation,
                )
        return when + 60

    def psexec(self, when: float, source: int, target: int, hidden: bool) -> None:
        """Copies itself to ADMIN$ and starts a service; under SMB3 encryption only bytes show."""
        self.step(
            "runs a service from afar", "T1569.002", "lateral_movement", when, source, [target]
        )
        self.flow(when, source, target, 445, "smb", seconds=30, up=6e6, down=40000)
        if hidden:
            return
        share = f"\\\\{self.house.ip(target)}\\ADMIN$"
        name = "".join(self.rng.choice(list("abcdefghij"), 8)) + ".exe"
        commands: list[tuple[int, dict[str, Any]]] = [
            (3, {}),
            (5, {"file": name}),
            (9, {"file": name, "magic": "MZ", "write_length": 65536}),
        ]
        for n, (command, extra) in enumerate(commands):
            self.tell(
                when + n,
                Smb,
                source,
                target,
                445,
                dialect=2,
                command=command,
                is_response=False,
                tree=share,
                **extra,
            )
        for n, operation in enumerate((15, 12, 19)):
            self.tell(
                when + 5 + n,
                Dcerpc,
                source,
                target,
                445,
                packet="request",
                interface=SVCCTL,
                operation=operation,
                pipe="svcctl",
            )

    def encrypt(self, when: float, source: int, server: int, files: int, hidden: bool) -> None:
        """Reads, overwrites and renames: two to twenty files a second."""
        rng, pace = self.rng, float(self.rng.uniform(0.05, 0.5))
        self.step("encrypts files", "T1486", "impact", when, source, [server])
        self.scenario.impact_ns = self.scenario.impact_ns or self.scenario.steps[-1].start_ns
        self.flow(
            when,
            source,
            server,
            445,
            "smb",
            seconds=max(120.0, files * pace),
            up=files * 4e5,
            down=files * 4e5,
        )
        if hidden:
            how = str(rng.choice(["whole", "start", "chained"], p=[0.5, 0.3, 0.2]))
            for n in range(min(files, 150)):
                steps = encrypting(rng, how)
                gap = min(0.003, pace / len(steps))
                say(self.tell, self.back, (source, server), when + n * pace, steps, gap)
            return
        share, extension = (
            f"\\\\{self.house.ip(server)}\\data",
            str(rng.choice(["lockbit", "elbie"])),
        )
        for n in range(min(files, 150)):
            name, at = f"doc\\{n}.docx", when + n * pace
            common: dict[str, Any] = {"dialect": 2, "is_response": False, "tree": share}
            self.tell(at, Smb, source, server, 445, command=8, file=name, **common)
            self.tell(
                at + 0.01,
                Smb,
                source,
                server,
                445,
                command=9,
                file=name,
                write_length=65536,
                **common,
            )
            self.tell(
                at + 0.02,
                Smb,
                source,
                server,
                445,
                command=17,
                info_class=10,
                file=name,
                new_name=f"{name}.{extension}",
                **common,
            )

    def print_notes(self, when: float, source: int, printers: list[int]) -> None:
        self.step("prints ransom notes", "T1491", "impact", when, source, printers)
        for printer in printers:
            self.flow(when, source, printer, 9100, "printer", seconds=3, up=40000, down=200)
            when += float(self.rng.exponential(1.5))


def _earlier(step: Step, tier: str, seen_ns: int) -> None:
    step.visible_ns[tier] = min(seen_ns, step.visible_ns.get(tier, seen_ns))


def hour(stage: Stage, day: int) -> float:
    """When people strike: two thirds within working hours, where it blends in, else at night."""
    rng = stage.rng
    clock = rng.uniform(9, 17.5) if rng.random() < 0.65 else rng.choice([rng.uniform(0, 5), 22.5])
    return day * DAY_S + float(clock) * 3600


def some(stage: Stage, groups: tuple[str, ...], count: int) -> list[int]:
    hosts = np.concatenate([stage.house.of(g) for g in groups])
    return [int(h) for h in stage.rng.permutation(hosts)[:count]]


def one(stage: Stage, *groups: str) -> int:
    return some(stage, groups, 1)[0]
