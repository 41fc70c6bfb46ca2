"""Remote calls (LM-4): one host makes another run, reveal or change something by DCE/RPC."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.apps import APP_CODE
from collector.sightings import Dcerpc, Ntlm, Smb
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.hospital import REPLICATORS
from detector.lateral.activations import (
    ACTIVATION,
    ACTIVATIONS,
    CLASS_NAMES,
    DCOM,
    rule_of_class,
)
from detector.lateral.call_words import CALL_WORDINGS
from detector.lateral.calls import Calls, flow_of, is_admin_share, is_write, requests
from detector.lateral.enumeration import Asked
from detector.lateral.rounds import Rounds, Told
from detector.lateral.rpc_rules import (
    CALLED,
    DISPATCH,
    DRSUAPI,
    EVENTLOG,
    NETLOGON,
    REPLICA_SYNC,
    RULE_OF,
    SPOOLSS,
    SVCCTL,
    WBEM,
    Rule,
)
from detector.lateral.services import Services
from detector.lateral.zerologon import Handshakes

Pair = tuple[str, str]

#: Domain controllers do these among themselves.
_BETWEEN_CONTROLLERS: Final = frozenset({"dcsync", "dcshadow", "netsync"})
#: What nobody's familiarity excuses.
_NEVER_EXCUSED: Final = frozenset(
    {"dcsync", "dcshadow", "zerologon", "coercion", "print_nightmare", "hive", "lsa_secret"}
)
_UNNAMED_DCOM: Final = DCOM._replace(interface="", operations=frozenset({3, 5, 6}), base=45)
_ZEROLOGON: Final = Rule("zerologon", NETLOGON, frozenset({4}), 95, ("T1210", "T1068"))
_CRASH: Final = Rule("log_crash", EVENTLOG, frozenset({0}), 80, ("T1562.002", "T1499.004"))
#: Operations of those who print or look at a queue (MS-RPRN §3.1.4): jobs, documents, printers,
#: their data and drivers. Who only wants the server to call back needs none of them.
_PRINT_WORK: Final = frozenset({4, 8, 11, 17, 18, 19, 23, 26, 53, 78})
#: Clients that make a host a print server, or a file server into which everybody looks.
_CLIENTS: Final = 5
_RELAY_NS: Final = 60_000_000_000
_PIPE_BROKEN: Final = 0xC000014B


@dataclass
class _Past:
    """What a pair did in the last minutes."""

    user: str = ""
    wrote_ns: int = 0  # to an administrative share
    interfaces: set[str] = field(default_factory=set)  # bound or called
    unnamed: set[int] = field(default_factory=set)  # operations of unknown interfaces
    handshakes: Handshakes = field(default_factory=Handshakes)
    has_cleared: bool = False  # an event log
    has_printed: bool = False
    services: Services = field(default_factory=Services)
    asked: Asked = field(default_factory=Asked)  # who and what exists
    last_ns: int = 0


@dataclass
class _Memory:
    pairs: OrderedDict[Pair, _Past] = field(default_factory=OrderedDict)
    coerced: dict[str, tuple[int, str]] = field(default_factory=dict)  # host → (when, by whom)
    managers: dict[str, dict[str, int]] = field(default_factory=dict)  # source → target → when
    notified: dict[str, set[str]] = field(default_factory=dict)  # print server → its clients
    asked_by: dict[str, set[str]] = field(default_factory=dict)  # file server → who looked at it
    rounds: Rounds = field(default_factory=Rounds)
    partners: OrderedDict[Pair, int] = field(default_factory=OrderedDict)  # who is to fetch → when


class RemoteCalls(Detector):
    """One host makes another run a program, hand out secrets or change its state by DCE/RPC.

    Reads the interface and the operation number of every call (they stay readable when the rest is
    encrypted by RPC privacy): services, scheduled tasks, WMI, DCOM, DCSync, DCShadow, registry
    hives, LSA secrets, forced authentication, Zerologon (many handshakes, few before a password is
    set, or a challenge of one repeated byte), PrintNightmare, cleared logs, accounts and groups
    changed, certificates asked for by MS-ICPR, enumeration. A DCOM activation that stays readable
    is told by the class it asks for: MMC, ShellWindows or Excel weigh more, WMI's own door is WMI,
    and certificates that a member renews are nothing. Who stops or deletes no more services than it
    made there tidies up after itself, which is not told. When the same client also wrote to an
    administrative share within ten minutes, an execution counts 20 points more. After MITRE BZAR;
    numbers from Microsoft's protocol documents.

    Why it matters: it is the trade of hands-on intruders between the first foothold and the
    encryption; most of these calls have no everyday use between a hospital's clients.

    False alarms: asset management and software distribution (what one host does to four others
    and more is one alert for as long as it goes on; judge it once: after three days it goes on as
    low, and only a day that reaches thrice as many is told anew), backup agents, print servers
    (change notices), domain controllers among themselves (known by role, or because a controller
    called them to fetch), directory synchronisers such as Entra Connect (give them the role
    `directory_sync`; unlisted they are told as DCSync, for so they look). An edge that a person
    approved counts three tenths, except for what is never right. SMB3 encryption hides the calls;
    then only the connections remain (see `admin_edge`).
    """

    id = "remote_calls"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021.002",)
    reads = Reads(sightings=(Dcerpc, Ntlm, Smb))
    wordings = CALL_WORDINGS

    together_s: int = Field(default=600, ge=10, description="calls and writes that belong together")
    least_challenges: int = Field(
        default=20, ge=5, description="Netlogon challenges in a minute taken for Zerologon"
    )
    round_targets: int = Field(
        default=4, ge=2, description="targets of one source in a week that are told as one"
    )
    enumeration_kinds: int = Field(default=3, ge=1, description="kinds of enumeration that tell")
    enumeration_targets: int = Field(default=5, ge=2, description="targets of one source that tell")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        self._note_users_and_writes(window, memory)
        ruled: dict[tuple[Pair, Rule], Calls] = {}
        self._note_coercions(window, memory)
        yield from self._relays(window, memory)
        asked: dict[Pair, Calls] = {}
        for call, interface, operation in requests(window):
            pair = (call.ip, call.peer_ip)
            past = self._past(memory, pair, call.time_ns)
            if interface == DRSUAPI and operation == REPLICA_SYNC:
                memory.partners[call.peer_ip, call.ip] = call.time_ns
            for rule in self._rules_of(past, interface, operation, call):
                name = CALLED.get(interface, rule.variant) + (f":{operation}" * (operation >= 0))
                calls = ruled.setdefault((pair, rule), Calls())
                calls.add(call, name, CLASS_NAMES.get(call.object_class, ""))
            if past.asked.note(call, interface, operation):
                asked.setdefault(pair, Calls()).add(call, "")
        for pair, rule in [k for k in ruled if k[1] is ACTIVATION]:
            if memory.pairs[pair].interfaces & WBEM:
                del ruled[pair, rule]
        for smb in window.of(Smb):
            there = memory.pairs.get((smb.peer_ip, smb.ip))
            if smb.is_response and smb.status == _PIPE_BROKEN and there and there.has_cleared:
                ruled.setdefault(((smb.peer_ip, smb.ip), _CRASH), Calls()).add(smb, "eventlog")
        yield from self._ruled(window, memory, ruled)
        for pair, calls in asked.items():
            yield from self._enumeration(window, memory, pair, calls)
        for kept in (memory.pairs, memory.partners):
            while len(kept) > 20_000:
                kept.popitem(last=False)

    def _note_users_and_writes(self, window: Window, memory: _Memory) -> None:
        for logon in window.of(Ntlm):
            if logon.message == "authenticate" and logon.user:
                self._past(memory, (logon.ip, logon.peer_ip), logon.time_ns).user = logon.user
        for smb in window.of(Smb):
            if is_write(smb) and is_admin_share(smb):
                self._past(memory, (smb.ip, smb.peer_ip), smb.time_ns).wrote_ns = smb.time_ns

    def _note_coercions(self, window: Window, memory: _Memory) -> None:
        for call, interface, operation in requests(window):
            if interface == SPOOLSS and operation in _PRINT_WORK:
                self._past(memory, (call.ip, call.peer_ip), call.time_ns).has_printed = True
        for call, interface, operation in requests(window):
            rule = RULE_OF.get((interface, operation))
            if rule is not None and rule.variant == "printer_bug":
                if len(memory.notified) > 10_000:
                    memory.notified.clear()
                clients = memory.notified.setdefault(call.peer_ip, set())
                if len(clients) < _CLIENTS:
                    clients.add(call.ip)
                if self._prints(window, memory, (call.ip, call.peer_ip)):
                    continue
            if rule is not None and rule.variant in ("coercion", "printer_bug"):
                memory.coerced[call.peer_ip] = (call.time_ns, call.ip)
        while len(memory.coerced) > 10_000:
            del memory.coerced[next(iter(memory.coerced))]

    def _prints(self, window: Window, memory: _Memory, pair: Pair) -> bool:
        """Every client asks its print server to be told of changes; nobody asks a controller.

        It is one whom many ask, or where the client also prints or looks at a queue.
        """
        client, server = pair
        past = memory.pairs.get((client, server))
        is_server = len(memory.notified.get(server, ())) >= _CLIENTS
        is_work = is_server or (past is not None and past.has_printed)
        return is_work and window.hosts.at(server).role != "domain_controller"

    def _relays(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        """A host that was just made to log on somewhere does so."""
        for logon in window.of(Ntlm):
            when, by_whom = memory.coerced.get(logon.ip, (0, ""))
            late = logon.time_ns - when
            if logon.message != "authenticate" or not by_whom or not 0 <= late <= _RELAY_NS:
                continue
            yield Finding(
                source=by_whom,
                targets=tuple(dict.fromkeys((logon.ip, logon.peer_ip))),
                score=95.0,
                confidence=0.95,
                first_ns=when,
                last_ns=logon.time_ns,
                facts={"calls": ["NTLM"], "count": 1, "user": logon.user or "-"},
                variant="relay",
                techniques=("T1557.001", "T1187"),
                category="credential_access",
                app="smb",
                flows=(flow_of(logon),),
            )

    def _past(self, memory: _Memory, pair: Pair, now_ns: int) -> _Past:
        past = memory.pairs.get(pair)
        if past is None or now_ns - past.last_ns > self.together_s * 1_000_000_000:
            past = memory.pairs[pair] = _Past(user=past.user if past else "")
        memory.pairs.move_to_end(pair)
        past.last_ns = max(past.last_ns, now_ns)
        return past

    def _rules_of(
        self, past: _Past, interface: str, operation: int, call: Dcerpc
    ) -> Iterator[Rule]:
        """The rules that this call meets, given what the pair did before."""
        if interface == NETLOGON and past.handshakes.note(call, self.least_challenges):
            yield _ZEROLOGON
        if not interface:
            past.unnamed.add(operation)
            if {3, 5, 6} <= past.unnamed and len(past.unnamed) <= 6:
                yield _UNNAMED_DCOM
            return
        past.interfaces.add(interface)
        is_wmi = bool(past.interfaces & WBEM)
        if interface == DISPATCH and operation in (5, 6) and not is_wmi:
            yield DCOM
        if (interface, operation) in ACTIVATIONS:
            activation = rule_of_class(call.object_class, is_wmi)
            if activation is not None:
                yield activation
        if interface == SVCCTL and past.services.tidies(operation):
            return
        past.has_cleared |= interface == EVENTLOG and operation == 0
        rule = RULE_OF.get((interface, operation))
        if rule is not None:
            yield rule

    def _ruled(
        self, window: Window, memory: _Memory, ruled: dict[tuple[Pair, Rule], Calls]
    ) -> Iterator[Finding]:
        for (pair, rule), calls in ruled.items():
            source, target = pair
            if rule.variant in _BETWEEN_CONTROLLERS and self._replicates(
                window, memory, pair, rule.variant
            ):
                continue
            if rule.variant == "printer_bug" and self._prints(window, memory, pair):
                continue
            past = memory.pairs[pair]
            score = self._score(window, pair, rule, past)
            targets: tuple[str, ...] = (target,)
            if rule.variant == "service_manager":
                targets = self._managers(memory, pair, calls.last_ns)
                score = min(70.0, score + 25 * (len(targets) - 1))
            told = Told(target, targets, calls.first_ns)
            if rule.variant not in _NEVER_EXCUSED:
                told = self._of_round(window, memory, pair, rule.variant, calls)
            if rule.variant == "service_manager":
                told = replace(told, key=source + " settled" * told.is_settled, targets=targets)
            yield Finding(
                source=source,
                targets=told.targets,
                score=score * told.weight,
                confidence=0.95,
                first_ns=told.first_ns,
                last_ns=calls.last_ns,
                facts={
                    "calls": list(calls.names),
                    "count": len(targets)
                    if rule.variant == "service_manager"
                    else max(len(calls.sightings), past.handshakes.tries),
                    "user": past.user or "-",
                    "admin_share_written": bool(past.wrote_ns),
                },
                variant=rule.variant,
                key=told.key,
                is_round=len(told.targets) > 1,
                is_settled=told.is_settled,
                techniques=rule.techniques,
                category=rule.category,
                app=calls.app,
                flows=calls.flows(),
            )

    def _of_round(
        self, window: Window, memory: _Memory, pair: Pair, means: str, calls: Calls
    ) -> Told:
        """One tool on its round is one alert; what goes on day after day is known."""
        first_ns, last_ns = calls.first_ns, calls.last_ns
        who = window.hosts.at(pair[0]).identity
        return memory.rounds.tell(*pair, means, first_ns, last_ns, self.round_targets, who=who)

    def _replicates(self, window: Window, memory: _Memory, pair: Pair, variant: str) -> bool:
        """A controller, one that a controller itself called to fetch, or a listed synchroniser.

        Nobody but a controller calls its partners: an intruder's machine is called by none.
        """
        role = window.hosts.at(pair[0]).role
        if variant == "dcsync" and (role in REPLICATORS or pair in memory.partners):
            return True
        return role == "domain_controller"

    def _score(self, window: Window, pair: Pair, rule: Rule, past: _Past) -> float:
        score = float(rule.base)
        if rule.executes and past.wrote_ns:
            score += 20
        if rule.variant in _NEVER_EXCUSED:
            return min(100.0, score)
        for app in ("smb", "dcerpc"):
            edge = window.edges.find(*pair, APP_CODE[app])
            if edge is not None and edge.approved:
                return min(100.0, score) * 0.3
        if window.hosts.at(pair[0]).role in ("admin", "bastion", "wsus", "scanner", "backup"):
            score *= 0.7
        return min(100.0, score)

    def _managers(self, memory: _Memory, pair: Pair, now_ns: int) -> tuple[str, ...]:
        """Hosts whose service manager this source opened of late."""
        if len(memory.managers) > 10_000:
            memory.managers.clear()
        opened = memory.managers.setdefault(pair[0], {})
        opened[pair[1]] = now_ns
        for target, when in list(opened.items()):
            if now_ns - when > self.together_s * 1_000_000_000:
                del opened[target]
        return tuple(opened)

    def _enumeration(
        self, window: Window, memory: _Memory, pair: Pair, calls: Calls
    ) -> Iterator[Finding]:
        past, (source, target) = memory.pairs[pair], pair
        if window.hosts.at(source).role in ("domain_controller", "scanner", "admin"):
            return
        span = self.together_s * 1_000_000_000
        targets = [
            t for (s, t), p in memory.pairs.items()
            if s == source and calls.last_ns - p.asked.last_ns <= span
        ]  # fmt: skip
        asked = past.asked
        if len(memory.asked_by) > 10_000:
            memory.asked_by.clear()
        visitors = memory.asked_by.setdefault(target, set())
        if len(visitors) < _CLIENTS:
            visitors.add(source)
        tells = (
            len(asked.kinds) >= self.enumeration_kinds
            or len(targets) >= self.enumeration_targets
            or asked.is_walk
        )
        if len(visitors) >= _CLIENTS and not tells and not asked.is_sensitive:
            return  # everybody's file server
        score = 30.0 + 10 * asked.is_sensitive + 10 * tells + 5 * max(0, len(targets) - 4)
        told = self._of_round(window, memory, pair, "enumeration", calls)
        key = source if len(targets) >= self.enumeration_targets else target
        yield Finding(
            source=source,
            targets=(target, *(t for t in targets if t != target)),
            score=min(70.0, score) * told.weight,
            confidence=0.9,
            first_ns=told.first_ns if told.is_settled else calls.first_ns,
            last_ns=calls.last_ns,
            facts={"calls": list(asked.kinds), "count": len(targets), "user": past.user or "-"},
            variant="enumeration",
            key=key + " settled" * told.is_settled,
            is_settled=told.is_settled,
            techniques=tuple(asked.techniques),
            category="reconnaissance",
            app=calls.app,
            flows=calls.flows(),
        )
