"""EX-1, family 6: names are asked for inside, and the connections go another way.

A resolver asks on every line it has (Windows 8 and later on all at once), so that a host with a
phone goes on asking the hospital's DNS for what it then reaches by the phone. What counts is that
not even an attempt follows: a closed terminal without another way tries, and fails visibly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.sightings import Dns
from detector.detection import Window, app_table
from detector.lines.addresses import INSIDE, PUBLIC, is_public
from detector.lines.clues import Clue
from detector.lines.dns_tunnel import split_name
from detector.lines.family_leak import LOOK
from detector.lines.resolvers import Resolvers
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import Surroundings, gateway_macs
from detector.words import Text

HOUR_NS: Final = 3_600_000_000_000
#: A connection follows its name within 30 s, and is told of after another minute at the latest.
FOLLOWS_NS: Final = 120_000_000_000
MIN_DOMAINS: Final = 20  # a system's own calls home stay within fewer
VAIN_SHARE: Final = 0.9  # browsers ask ahead for some names, but not for nearly all
MAX_HOSTS: Final = 5_000
MAX_NAMES: Final = 500  # a host and hour
MAX_PLACES: Final = 5_000  # a host
#: They look names up for others, for their logs or for judging mail, and go to none of them.
_ASK_FOR_OTHERS: Final = frozenset(
    {"domain_controller", "dns", "scanner", "admin", "network_device", "gateway", "wsus", "server"}
)
_IS_PROXY: Final = app_table(("http_proxy", "socks"))
_PROXY_PORTS: Final = (1080, 3128, 8080)


@dataclass
class Asker:
    """One host's last hour: names told to it, where it went, and who it is seen with."""

    waiting: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    vain: dict[str, tuple[int, str]] = field(default_factory=dict)  # name → when, domain
    kept: dict[str, int] = field(default_factory=dict)
    went: dict[str, int] = field(default_factory=dict)  # address → when last
    vlan: int = 0
    is_at_first_hop: bool = False
    proxied_ns: int = 0
    tidied_ns: int = 0


@dataclass
class Splits:
    """Hosts that were told public addresses, and servers that look names up for others."""

    askers: dict[int, Asker] = field(default_factory=dict)
    resolvers: Resolvers = field(default_factory=Resolvers)


def find_splits(window: Window, around: Surroundings, splits: Splits) -> Iterator[Clue]:
    """Closed hosts that were told twenty outside places within an hour and went to hardly any."""
    if not window.hospital.segments:
        return
    _note_names(window, splits)
    if not splits.askers:
        return
    _note_ways(window, around, splits)
    for number, asker in splits.askers.items():
        if asker.waiting and _settle(asker, window.end_ns):
            clue = _judge(number, asker, window, splits)
            if clue is not None:
                yield clue


def _note_names(window: Window, splits: Splits) -> None:
    hosts = window.hosts
    splits.resolvers.learn(window.of(Dns))
    for said in window.of(Dns):
        if not said.is_response or not said.answers:
            continue
        if not is_in_closed_segment(window, said.peer_ip, said.vlan):
            continue
        try:
            number = hosts.number_of(said.peer_ip)
        except ValueError:  # another monitor's record without one
            continue
        if hosts.is_nobody(number):
            continue
        places = tuple(a for a in said.answers[:8] if is_public(a, window.hospital))
        if not places:
            continue
        asker = splits.askers.setdefault(number, Asker(vlan=said.vlan))
        if len(splits.askers) > MAX_HOSTS:
            splits.askers.pop(next(iter(splits.askers)))
        when, known = asker.waiting.get(said.name, (said.time_ns, ()))
        if len(asker.waiting) < MAX_NAMES:
            asker.waiting[said.name] = (when, (known + places)[:16])


def _note_ways(window: Window, around: Surroundings, splits: Splits) -> None:
    """Where the askers went or tried to go, and whether we stand between them and their gateway."""
    flows, bits = window.flows, around.bits
    rows = np.flatnonzero(np.isin(window.source, np.array(list(splits.askers), np.uint32)))
    if not len(rows):
        return
    to_public = bits[window.destination[rows]] & PUBLIC != 0
    to_proxy = _IS_PROXY[flows.app[rows]] | np.isin(flows.destination_port[rows], _PROXY_PORTS)
    to_proxy &= (flows.reply_packets[rows] > 0) & (bits[window.destination[rows]] & INSIDE != 0)
    _note_first_hops(window, splits, rows)
    for row in rows[to_proxy][:2_000].tolist():
        splits.askers[int(window.source[row])].proxied_ns = int(flows.last_ns[row])
    pairs = np.stack([window.source[rows[to_public]], window.destination[rows[to_public]]], axis=1)
    for number, destination in np.unique(pairs, axis=0).tolist():
        went, place = splits.askers[number].went, window.hosts.ip(destination)
        went.pop(place, None)
        went[place] = window.end_ns
        if len(went) > MAX_PLACES:
            went.pop(next(iter(went)))


def _note_first_hops(window: Window, splits: Splits, rows: NDArray[np.int64]) -> None:
    """Mark askers whose own frames to another segment are seen: those for outside would be too."""
    flows, hospital = window.flows, window.hospital
    gateways = np.array([int(m.replace(":", ""), 16) for m in gateway_macs(hospital)], np.uint64)
    fresh = [n for n, asker in splits.askers.items() if not asker.is_at_first_hop]
    rows = rows[np.isin(window.source[rows], np.array(fresh, np.uint32))]
    rows = rows[(flows.source_mac[rows] != 0) & ~np.isin(flows.source_mac[rows], gateways)]
    pairs = np.stack([window.source[rows], window.destination[rows]], axis=1)
    for number, destination in np.unique(pairs, axis=0)[:2_000].tolist():
        asker, ip = splits.askers[number], window.hosts.ip(destination)
        if not asker.is_at_first_hop and hospital.is_inside(ip):
            own = hospital.segment_of(window.hosts.ip(number), asker.vlan)
            asker.is_at_first_hop = hospital.segment_of(ip) is not own


def _settle(asker: Asker, now_ns: int) -> bool:
    """Sort names whose time is up into kept and vain; True if any was added in vain."""
    before = len(asker.vain)
    for name, (when, places) in list(asker.waiting.items()):
        if any(place in asker.went for place in places):
            asker.kept[name] = when
            asker.vain.pop(name, None)
        elif now_ns - when < FOLLOWS_NS:
            continue
        elif len(asker.vain) < MAX_NAMES:
            asker.vain[name] = (when, split_name(name)[0])
        del asker.waiting[name]
    added = len(asker.vain) > before
    old = now_ns - HOUR_NS
    if now_ns - asker.tidied_ns < FOLLOWS_NS:
        return added
    asker.tidied_ns = now_ns
    asker.vain = {n: told for n, told in asker.vain.items() if told[0] > old}
    asker.kept = {n: when for n, when in asker.kept.items() if when > old}
    asker.went = {p: when for p, when in asker.went.items() if when > old}
    return added


def _judge(number: int, asker: Asker, window: Window, splits: Splits) -> Clue | None:
    host = window.hosts.ip(number)
    domains = {domain for _, domain in asker.vain.values() if domain}
    share = len(asker.vain) / max(1, len(asker.vain) + len(asker.kept))
    if len(domains) < MIN_DOMAINS or share < VAIN_SHARE:
        return None
    uses_proxy = asker.proxied_ns and window.end_ns - asker.proxied_ns < 24 * HOUR_NS
    asks_for_others = (
        splits.resolvers.is_one(host) or window.hosts.get(number).role in _ASK_FOR_OTHERS
    )
    if not asker.is_at_first_hop or uses_proxy or asks_for_others:
        return None
    return Clue(
        host=host,
        family="absence",
        signal="names without connections",
        weight=3,
        time_ns=max(when for when, _ in asker.vain.values()),
        what=Text(
            ja=f"1 時間に外部の {len(domains)} ドメインの名前を院内の DNS で解決したのに、"
            "LAN からは接続を試みてもいない",
            en=f"it had outside names of {len(domains)} domains resolved inside within an hour, "
            "and did not even try to reach them over this LAN",
        ),
        confirm=LOOK,
        shared=f"split VLAN {asker.vlan}",
        fields={"domains": len(domains), "names": len(asker.vain), "kept": len(asker.kept)},
    )
