"""LM-8: a host takes another's address on its link, by ARP or by ICMP redirect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.flows import mac_text
from collector.sightings import Arp
from detector.detection import Detector, Finding, Reads, Window
from detector.lines.sessions import flow_keys
from detector.lines.surroundings import gateway_macs
from detector.window_kernels import ICMP
from detector.words import Text, Wording

MAX_MACS: Final = 50_000
MAX_ADDRESSES: Final = 256
HOUR_NS: Final = 3_600_000_000_000
_ANSWER_NS: Final = 5_000_000_000
_REDIRECT: Final = 5
_SHARED_MACS: Final = ("00:00:5e:00:", "00:00:0c:07:ac:", "00:00:0c:9f:f", "00:05:73:a0:")


@dataclass
class Claims:
    """What one MAC has said in ARP within an hour."""

    since_ns: int
    addresses: dict[str, None] = field(default_factory=dict)  # sender addresses, in order
    unasked: dict[tuple[str, str], int] = field(default_factory=dict)  # (claimed, told) → times
    taken: dict[str, str] = field(default_factory=dict)  # address → MAC that had it before
    told: int = 0


@dataclass
class ArpMemory:
    """Claims by (VLAN, MAC), the last MAC of each address, and who asked for whom lately."""

    claims: dict[tuple[int, str], Claims] = field(default_factory=dict)
    holder: dict[tuple[int, str], tuple[str, int]] = field(default_factory=dict)
    asked: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def of(self, vlan: int, mac: str, now_ns: int) -> Claims:
        known = self.claims.get((vlan, mac))
        if known is None or now_ns - known.since_ns > HOUR_NS:
            known = Claims(now_ns)
            self.claims.pop((vlan, mac), None)
            self.claims[vlan, mac] = known
            _forget_oldest(self.claims)
        return known


class ArpSpoofing(Detector):
    """A host claims another's IP address, to stand between two others.

    Why it matters: from there it reads and changes what passes: passwords, orders, results.
    How: a host that speaks for at least two addresses answers, unasked, with one of them, or takes
    an address whose owner was heard from another MAC just before. Virtual router MACs (VRRP, HSRP)
    and the plan's gateways are left out. ICMP redirects from a MAC that is no gateway of the plan
    are told as well.
    False alarms: a cluster that moves its address after a failure (once), NIC teaming.
    """

    id = "arp_spoofing"
    category = "credential_access"
    techniques = ("T1557.002",)
    reads = Reads(sightings=(Arp,), marks=ICMP)

    many: int = Field(default=3, ge=2, description="unasked answers that make it certain")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{host} ({mac}) が {claimed} になりすましています（ARP）",
                en="{host} ({mac}) passes itself off as {claimed} (ARP)",
            ),
            why=Text(
                ja="なりすましが続く間、{claimed} あての通信はこの機器を通り、パスワードや"
                "診療データの盗み見・改ざんが可能です。",
                en="While it lasts, traffic meant for {claimed} passes this machine, which can "
                "read and change passwords and clinical data.",
            ),
            next_step=Text(
                ja="スイッチの MAC アドレステーブルで {mac} のポートを特定し、機器を確認して"
                "LAN から外してください。冗長構成の切替や NIC チーミングなら正常です。",
                en="Find the port of {mac} in the switch's MAC table, look at the machine and take "
                "it off the LAN. A failover or NIC teaming would be in order.",
            ),
        ),
        "redirect": Wording(
            title=Text(
                ja="{host} が ICMP リダイレクトで {victim} の経路を変えようとしています",
                en="{host} tries to change {victim}'s route by ICMP redirect",
            ),
            why=Text(
                ja="正規のゲートウェイ以外からのリダイレクトは、通信を自分に引き寄せる手口です。",
                en="A redirect from a machine that is no gateway draws traffic to itself.",
            ),
            next_step=Text(
                ja="{host} の管理者に確認し、端末側でリダイレクトの受け入れを無効にしてください。",
                en="Ask whoever runs {host}, and have machines ignore redirects.",
            ),
        ),
    }

    def remember(self) -> ArpMemory:
        return ArpMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        gateways = gateway_macs(window.hospital)
        touched: dict[tuple[int, str], Arp] = {}
        for arp in window.of(Arp):
            if not arp.sender_mac or arp.sender_ip in ("", "0.0.0.0"):  # noqa: S104 - a probe
                continue
            if _note(arp, memory, gateways):
                touched[arp.vlan, arp.sender_mac] = arp
        for (vlan, mac), arp in touched.items():
            yield from self._judge(memory.of(vlan, mac, arp.time_ns), arp)
        yield from _redirects(window, gateways)

    def _judge(self, claims: Claims, arp: Arp) -> Iterator[Finding]:
        if len(claims.addresses) < 2 or not claims.unasked:
            return
        unasked = list(dict.fromkeys(claimed for claimed, _ in claims.unasked))
        stolen = [a for a in unasked if a in claims.taken]
        times = sum(claims.unasked.values())
        if times < 2 * claims.told:
            return
        claims.told = times
        is_certain = bool(stolen) or times >= self.many
        claimed = stolen or unasked
        own = next((a for a in claims.addresses if a not in claimed), arp.sender_ip)
        victims = list(dict.fromkeys(told for _, told in claims.unasked))
        yield Finding(
            source=own,
            targets=tuple(claimed + [v for v in victims if v not in claimed])[:20],
            score=85 if is_certain else 75,
            confidence=0.9 if is_certain else 0.75,
            first_ns=claims.since_ns,
            last_ns=arp.time_ns,
            facts={
                "host": own,
                "mac": arp.sender_mac,
                "claimed": claimed[:5],
                "told": victims[:5],
                "unasked_answers": times,
                "before": {a: claims.taken[a] for a in stolen},
                "addresses": list(claims.addresses)[:10],
            },
            key=f"arp {arp.sender_mac}",
            source_mac=arp.sender_mac,
        )


def _note(arp: Arp, memory: ArpMemory, gateways: frozenset[str]) -> bool:
    """Write one ARP message down; True if its sender is worth judging."""
    vlan, mac, ip = arp.vlan, arp.sender_mac, arp.sender_ip
    if arp.operation == 1:
        memory.asked.pop((vlan, ip, arp.target_ip), None)
        memory.asked[vlan, ip, arp.target_ip] = arp.time_ns
        _forget_oldest(memory.asked)
    if mac.startswith(_SHARED_MACS) or mac in gateways:
        return False
    claims = memory.of(vlan, mac, arp.time_ns)
    before, at_ns = memory.holder.get((vlan, ip), (mac, 0))
    if before != mac and arp.time_ns - at_ns < HOUR_NS and len(claims.taken) < MAX_ADDRESSES:
        claims.taken[ip] = before
    memory.holder.pop((vlan, ip), None)
    memory.holder[vlan, ip] = (mac, arp.time_ns)
    _forget_oldest(memory.holder)
    if len(claims.addresses) < MAX_ADDRESSES:
        claims.addresses[ip] = None
    is_answer = arp.operation == 2 and arp.target_ip not in ("", ip)
    asked_ns = memory.asked.get((vlan, arp.target_ip, ip), 0)
    if is_answer and arp.time_ns - asked_ns > _ANSWER_NS and len(claims.unasked) < MAX_ADDRESSES:
        place = (ip, arp.target_ip)
        claims.unasked[place] = claims.unasked.get(place, 0) + 1
    return len(claims.addresses) > 1 and bool(claims.unasked)


def _redirects(window: Window, gateways: frozenset[str]) -> Iterator[Finding]:
    """ICMP redirects that no gateway of the plan sent."""
    if not gateways:
        return
    flows = window.flows
    rows = np.flatnonzero((flows.protocol == 1) & (flows.source_port == _REDIRECT))
    for row in rows[:100].tolist():
        mac = mac_text(flows.source_mac[row])
        if not mac or mac in gateways or mac.startswith(_SHARED_MACS):
            continue
        key = flow_keys(flows.take(slice(row, row + 1)))[0]
        yield Finding(
            source=key.source,
            targets=(key.destination,),
            score=65,
            confidence=0.8,
            first_ns=key.first_ns,
            last_ns=int(flows.last_ns[row]),
            facts={"host": key.source, "victim": key.destination, "mac": mac},
            variant="redirect",
            techniques=("T1557",),
            source_mac=mac,
            flows=(key,),
        )


def _forget_oldest(kept: dict[Any, Any]) -> None:
    if len(kept) > MAX_MACS:
        kept.pop(next(iter(kept)))
