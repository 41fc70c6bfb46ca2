"""EX-1, family 8: somebody who came in by another way: control that begins nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APPS
from collector.flows import mac_text
from detector.detection import FlowKey, Window
from detector.distinct import distinct
from detector.hospital import NEVER_CONTROLLERS
from detector.landing import line_networks
from detector.lines.addresses import PUBLIC
from detector.lines.attempts import named_uses
from detector.lines.clues import Clue
from detector.lines.family_leak import LOOK
from detector.lines.reference import carrier_of
from detector.lines.resolvers import Resolvers
from detector.lines.sessions import flow_keys
from detector.lines.surroundings import Surroundings
from detector.lines.tools import TOOLS
from detector.sift import sift
from detector.sift_kernels import CALLED_IN, CONTROLS
from detector.words import Text

DAY_NS: Final = 86_400_000_000_000
MIN_SESSION_NS: Final = 30_000_000_000
SILENCE_NS: Final = 3_600_000_000_000
MAX_HOSTS: Final = 20_000
MAX_A_WINDOW: Final = 200
_REMOTE: Final = frozenset({"remote", "tunnel", "vpn"})
#: Roles that hold consoles nobody sits at; servers are added by the ledger's own word.
_ORPHANS: Final = NEVER_CONTROLLERS | {"pacs", "hl7_engine", "database", "emr_server"}


@dataclass
class Comings:
    """When each host was last controlled by another, and tools it tried to reach in vain."""

    controlled_ns: dict[int, int] = field(default_factory=dict)
    tried: dict[str, tuple[int, str]] = field(default_factory=dict)  # host → when, tool
    resolvers: Resolvers = field(default_factory=Resolvers)


def find_comings(window: Window, around: Surroundings, comings: Comings) -> Iterator[Clue]:
    """Orphan controllers, carriers that call in, remote tools that fell silent."""
    sifted = window.once(sift)
    yield from _orphans(window, comings, sifted.rows(CONTROLS))
    yield from _carriers(window, comings, sifted.rows(CALLED_IN))
    yield from _silenced(window, around, comings)


def _orphans(window: Window, comings: Comings, rows: NDArray[np.int64]) -> Iterator[Clue]:
    flows = window.flows
    for row in rows[:MAX_A_WINDOW].tolist():
        source = int(window.source[row])
        long = int(flows.last_ns[row] - flows.first_ns[row]) >= MIN_SESSION_NS
        is_part = int(flows.part[row]) > 0
        caused_ns = comings.controlled_ns.get(source)
        first_ns = int(flows.first_ns[row])
        is_caused = caused_ns is not None and first_ns - caused_ns < DAY_NS
        if (long or is_part) and not is_caused and _is_orphan(window, source):
            app = APPS[int(flows.app[row])]
            target_ip = window.hosts.ip(int(window.destination[row]))
            yield Clue(
                host=window.hosts.ip(source),
                mac=mac_text(flows.source_mac[row]),
                family="inbound",
                signal="control that begins nowhere",
                weight=2,
                time_ns=first_ns,
                what=Text(
                    ja=f"誰からも操作されていないのに {target_ip} を {app} で操作している",
                    en=f"controls {target_ip} by {app} though nobody on the LAN controls it",
                ),
                confirm=LOOK,
                shared=f"controls by {app}",
                targets=(target_ip,),
                fields={"app": app},
                flows=_key(window, row),
            )
    for row in rows.tolist():
        target = int(window.destination[row])
        comings.controlled_ns.pop(target, None)
        comings.controlled_ns[target] = int(flows.last_ns[row])
        if len(comings.controlled_ns) > MAX_HOSTS:
            comings.controlled_ns.pop(next(iter(comings.controlled_ns)))


def _is_orphan(window: Window, source: int) -> bool:
    """A machine that nobody works at, and on which no registered line lands."""
    host = window.hosts.get(source)
    if not host.is_inside or host.role not in _ORPHANS:
        return False
    landing = tuple(n for line in window.hospital.lines for n in line_networks(line))
    address = ip_address(host.ip)
    return not any(address.version == n.version and address in n for n in landing)


def _carriers(window: Window, comings: Comings, rows: NDArray[np.int64]) -> Iterator[Clue]:
    """A mobile carrier's customer calls in at the border, as the name of its address tells."""
    for row in rows[:MAX_A_WINDOW].tolist():
        peer = window.hosts.ip(int(window.source[row]))
        name = window.names.of(peer)
        carrier = carrier_of(name) if name else ""
        if carrier:
            device = window.hosts.ip(int(window.destination[row]))
            yield Clue(
                host=device,
                family="inbound",
                signal="called from a carrier's network",
                weight=2,
                time_ns=int(window.flows.first_ns[row]),
                what=Text(
                    ja=f"通信事業者（{carrier}）の網 {peer} から接続されている",
                    en=f"is called from {peer}, in the network of {carrier}",
                ),
                confirm=LOOK,
                targets=(peer,),
                fields={"carrier": carrier, "name": name},
                flows=_key(window, row),
            )


def _silenced(window: Window, around: Surroundings, comings: Comings) -> Iterator[Clue]:
    """A remote tool was wanted, and an hour later is no longer asked for: it may have got out."""
    for use in named_uses(window, comings.resolvers):
        if use.tool.app and _class_of(use.tool.app) in _REMOTE:
            comings.tried.pop(use.device, None)
            comings.tried[use.device] = (use.time_ns, use.tool.label)
            if len(comings.tried) > MAX_HOSTS:
                comings.tried.pop(next(iter(comings.tried)))
    if not comings.tried:
        return
    reached = np.flatnonzero((window.flows.reply_packets > 0)
                             & (around.bits[window.destination] & PUBLIC != 0))  # fmt: skip
    for number in distinct(window.source[reached]).tolist():
        comings.tried.pop(window.hosts.ip(int(number)), None)  # it goes out over this LAN
    latest_ns = window.start_ns - SILENCE_NS
    silent = [told for told in comings.tried.items() if told[1][0] <= latest_ns]
    if not silent:
        return
    speaking = {window.hosts.ip(int(n)) for n in distinct(window.source).tolist()}
    for host, (_, label) in silent:
        if host not in speaking:
            continue
        del comings.tried[host]
        yield Clue(
            host=host,
            family="inbound",
            signal="remote tool fell silent",
            weight=2,
            time_ns=window.start_ns,
            what=Text(
                ja=f"LAN から外へ出られなかった {label} が、試行をやめた（別の出口を得た可能性）",
                en=f"{label}, which could not get out over the LAN, has stopped trying: it may "
                "have found another way",
            ),
            confirm=LOOK,
            shared=f"silent {label}",
            fields={"tool": label},
        )


def _class_of(app: str) -> str:
    return TOOLS[app].tool_class if app in TOOLS else ""


def _key(window: Window, row: int) -> tuple[FlowKey, ...]:
    return flow_keys(window.flows.take(slice(row, row + 1)))
