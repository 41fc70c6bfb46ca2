"""RT without a signature: a long, quiet or screen-like connection to a rarely used place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.flows import FlowBatch
from detector.detection import Detector, Finding, FlowKey, Window, app_table
from detector.distinct import distinct_rows, groups_of
from detector.landing import is_endpoint
from detector.lines.addresses import INSIDE, LOOPBACK, SPECIAL
from detector.lines.odd_tls import ODDITIES, OddTls
from detector.lines.sessions import flow_keys
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import network_of
from detector.lines.tools import IS_TOOL
from detector.words import Text, Wording

S: Final = 1_000_000_000
MAX_CHAINS: Final = 20_000
MAX_PLACES: Final = 50_000
MAX_NOTED: Final = 1_000_000
MAX_PARTS: Final = 1440  # a day of minutes
MAX_A_WINDOW: Final = 500
#: A record this long is a part of a long connection, or one that an exporter tells in whole.
LONG_NS: Final = 50 * S
IDLE_PACKETS: Final = 16  # a minute and direction; keep-alives every 10 to 60 s are 1 to 6
SMALL: Final = 160  # bytes a packet: a keep-alive, a key stroke
LARGE: Final = 400  # bytes a packet: parts of a screen
POINTS: Final = 25.0
_IS_SERVICE: Final = app_table(("dns", "ntp", "doh", "icmp", "dhcp", "smtp"))
_IS_LEFT_OUT: Final = IS_TOOL | _IS_SERVICE[: len(IS_TOOL)]
_STEPS_H: Final = (12, 8, 4, 1)  # of long connections, as RITA takes them


@dataclass
class Chain:
    """Long connections of one host to one place, with no gap above ten minutes."""

    first_ns: int
    last_ns: int
    #: A row a record: seconds, packets and bytes out, packets and bytes in.
    parts: list[tuple[float, int, int, int, int]] = field(default_factory=list)
    is_exported: bool = False  # whole connections only, no minutes
    told: float = 0.0
    keys: tuple[FlowKey, ...] = ()


@dataclass
class TunnelMemory:
    """Chains, who uses which place, and how many hosts there are."""

    tls: OddTls = field(default_factory=OddTls)
    chains: dict[tuple[int, int, int], Chain] = field(default_factory=dict)
    users: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    noted: set[int] = field(default_factory=set)  # pairs of hosts that stand in `users`
    is_active: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))


class UnnamedTunnel(Detector):
    """A connection to outside behaves like a tunnel or a remote screen, though nothing names it.

    Why it matters: tools that are rebuilt, wrapped in TLS or made for one vendor carry no
    signature; how they behave does not change.
    How: 25 points each for an hour or more to one /24, for keep-alives (seven in ten quiet minutes
    hold the same few small packets), for the rhythm of a screen (small packets in, large ones out,
    neither side far ahead), for rarity (at most 2 % of the hosts use the place) and for TLS as
    wrappers speak it (to a bare address, or to a certificate that signs itself). 75 points are
    told, 50 in a closed segment. Counted by the minute, as packets show; a flow export that tells
    connections in whole yields duration, sizes and rarity only, and sampled input is refused.
    False alarms: security agents and push services of few machines, conferences; register the
    place. Registered ends, known tools and infrastructure are left out.
    """

    id = "unnamed_tunnel"
    category = "remote_access"
    techniques = ("T1572", "T1219")
    gather_s = 300

    min_hours: float = Field(default=1, ge=0.1, le=24, description="hours that make it long")
    rare_share: float = Field(default=0.02, gt=0, le=1, description="share of hosts that is rare")
    min_hosts: int = Field(default=20, ge=2, description="hosts below which rarity says nothing")
    min_points: float = Field(default=75, ge=25, le=100, description="points that are told")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{device} から外部 {place} へ、名前のないトンネルらしい通信が続いています"
                "（{hours} 時間）",
                en="{device} keeps what looks like an unnamed tunnel to {place} ({hours} h)",
            ),
            why=Text(
                ja="{signs_ja}。署名のない遠隔操作ツールやトンネルはこのように振る舞います。",
                en="{signs_en}. Remote tools and tunnels without a signature behave so.",
            ),
            next_step=Text(
                ja="{device} の担当部署と保守ベンダに、{place} との通信の目的を確認してください。"
                "正規の保守や監視なら外部接続台帳に登録し、不明なら隔離計画に従ってください。",
                en="Ask the department and the vendor of {device} what it does with {place}. If "
                "it is proper, register it; if nobody knows, follow the isolation plan.",
            ),
        )
    }

    def remember(self) -> TunnelMemory:
        return TunnelMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        memory.tls.learn(window)
        kinds = window.hosts.kinds
        self._count_hosts(window, memory, kinds)
        flows = window.flows
        out = (kinds[window.source] & INSIDE != 0) & ~_IS_LEFT_OUT[flows.app]
        out &= kinds[window.destination] & (INSIDE | SPECIAL | LOOPBACK) == 0
        out &= (flows.reply_packets > 0) & (flows.sampling <= 1)
        rows = np.flatnonzero(out)
        self._note_users(window, memory, rows)
        lasted = flows.last_ns[rows] - flows.first_ns[rows]
        rows = rows[(flows.part[rows] > 0) | (lasted >= LONG_NS)]
        if not len(rows):
            return
        places = _places(flows.take(rows))
        columns = (window.source[rows], *places.T)
        groups = groups_of(*columns)
        keys = zip(*(column[groups.first].tolist() for column in columns), strict=True)
        parts = np.split(rows[groups.order], groups.starts[1:])
        for key, members in zip(keys, parts, strict=True):
            chain = _extend(memory, key, flows, members)
            if chain.last_ns - chain.first_ns >= self.min_hours * 3600 * S:
                yield from self._judge(window, memory, chain, members)

    def _count_hosts(self, window: Window, memory: TunnelMemory, kinds: NDArray[np.uint8]) -> None:
        grown = len(window.hosts) - len(memory.is_active)
        if grown > 0:
            memory.is_active = np.concatenate([memory.is_active, np.zeros(grown, bool)])
        memory.is_active[window.source[kinds[window.source] & INSIDE != 0]] = True

    def _note_users(self, window: Window, memory: TunnelMemory, rows: NDArray[np.int64]) -> None:
        source = window.source[rows].astype(np.uint64)
        ends = (source << np.uint64(32) | window.destination[rows]).tolist()
        fresh = [at for at, pair in enumerate(ends) if pair not in memory.noted]
        if not fresh:
            return
        memory.noted.update(ends[at] for at in fresh)
        rows = rows[fresh]
        places = _places(window.flows.take(rows))
        for number, high, low in distinct_rows(source[fresh], *places.T):
            users = memory.users.setdefault((high, low), set())
            if len(users) < 1000:
                users.add(number)
            if len(memory.users) > MAX_PLACES:
                memory.users.pop(next(iter(memory.users)))
                memory.noted.clear()  # that place's users come anew
        if len(memory.noted) > MAX_NOTED:
            memory.noted.clear()

    def _judge(
        self, window: Window, memory: TunnelMemory, chain: Chain, members: NDArray[np.int64]
    ) -> Iterator[Finding]:
        row = int(members[0])
        device = window.hosts.ip(int(window.source[row]))
        peer = window.hosts.ip(int(window.destination[row]))
        name = window.names.of(peer)
        if any(is_endpoint(peer, name, line) for line in window.hospital.lines):
            return
        users = memory.users.get(_place_of(window.flows, row), set())
        hosts = int(memory.is_active.sum())
        signs = {"duration": True, **_behaviour(chain)}
        signs["rarity"] = hosts >= self.min_hosts and len(users) <= max(1, self.rare_share * hosts)
        odd = memory.tls.of(device, peer)
        signs |= dict.fromkeys(odd[:1], True)  # both are one habit of wrappers
        points = POINTS * sum(signs.values())
        is_closed = is_in_closed_segment(window, device, int(window.flows.vlan[row]))
        if points < (50 if is_closed else self.min_points) or points <= chain.told:
            return
        chain.told = points
        hours = (chain.last_ns - chain.first_ns) / 3600e9
        said = [_SIGNS[sign] for sign, holds in signs.items() if holds and sign in _SIGNS]
        said += [ODDITIES[oddity] for oddity in odd]
        if chain.is_exported:
            said.append(_SIGNS["exported"])
        yield Finding(
            source=device,
            targets=(peer,),
            score=min(95.0, points + (15 if is_closed else 0)),
            confidence=0.6 if points <= 75 else 0.8,
            first_ns=chain.first_ns,
            last_ns=chain.last_ns,
            facts={
                "device": device,
                "place": name or network_of(peer),
                "hours": round(hours, 1),
                "step_hours": next((s for s in _STEPS_H if hours >= s), 0),
                "signs": [s for s, holds in signs.items() if holds],
                "signs_ja": "、".join(t.ja for t in said),
                "signs_en": "; ".join(t.en for t in said),
                "users": len(users),
                "hosts": hosts,
                "bytes_out": sum(p[2] for p in chain.parts),
                "bytes_in": sum(p[4] for p in chain.parts),
            },
            key=network_of(peer),
            line=f"{device} → {name or network_of(peer)}",
            flows=chain.keys,
        )


_SIGNS: Final = {
    "duration": Text(ja="1 時間以上つながり続けている", en="it has lasted for an hour or more"),
    "keep_alive": Text(
        ja="待機中に同じ間隔で小さなパケットを交わしている",
        en="while idle it exchanges small packets at an even pace",
    ),
    "rhythm": Text(
        ja="小さな入力に大きな応答を返す、画面操作のようなやりとりがある",
        en="small packets come in and large ones go out, as when someone works a screen",
    ),
    "rarity": Text(
        ja="同じ相手を使う機器がほかにほとんどない", en="hardly any other machine uses that place"
    ),
    "exported": Text(
        ja="（NetFlow のため待機中の間隔は見えない）", en="(pauses are not seen in a flow export)"
    ),
}


def _extend(
    memory: TunnelMemory, key: tuple[int, int, int], flows: FlowBatch, members: NDArray[np.int64]
) -> Chain:
    """Add a window's records to the chain they belong to."""
    first, last = int(flows.first_ns[members].min()), int(flows.last_ns[members].max())
    chain = memory.chains.pop(key, None)
    if chain is None or first - chain.last_ns > 600 * S:
        chain = Chain(first, last, keys=flow_keys(flows.take(members)))
    memory.chains[key] = chain
    if len(memory.chains) > MAX_CHAINS:
        memory.chains.pop(next(iter(memory.chains)))
    chain.first_ns, chain.last_ns = min(chain.first_ns, first), max(chain.last_ns, last)
    for row in members[:MAX_A_WINDOW].tolist():
        if len(chain.parts) >= MAX_PARTS:
            chain.parts.pop(0)
        lasted = (int(flows.last_ns[row]) - int(flows.first_ns[row])) / S
        chain.is_exported |= lasted > 120
        chain.parts.append(
            (lasted, int(flows.packets[row]), int(flows.bytes[row]),
             int(flows.reply_packets[row]), int(flows.reply_bytes[row]))
        )  # fmt: skip
    return chain


def _behaviour(chain: Chain) -> dict[str, bool]:
    """Does it keep itself alive, does it move like a screen."""
    parts = np.array(chain.parts, float)
    seconds, sent, out, got, back = parts.T
    out_size, in_size = out / np.maximum(sent, 1), back / np.maximum(got, 1)
    minutes = np.maximum(seconds, 1) / 60
    idle = (seconds <= 120) & (sent / minutes <= IDLE_PACKETS) & (got / minutes <= IDLE_PACKETS)
    idle &= (out_size <= SMALL) & (in_size <= SMALL)
    keeps = False
    if idle.sum() >= 10:
        pace = np.round((sent + got)[idle] / minutes[idle])
        values, counts = np.unique(pace, return_counts=True)
        mode = values[np.argmax(counts)]
        keeps = bool((np.abs(pace - mode) <= np.maximum(1, 0.1 * mode)).mean() >= 0.7)
    busy = ~idle & (sent + got >= 20)
    works = busy & (in_size >= 45) & (in_size <= SMALL) & (out_size >= LARGE)
    works &= (got >= 0.3 * sent) & (back * 20 >= out)
    is_screen = busy.sum() >= 1 and works.sum() >= 0.5 * busy.sum()
    enough = works.sum() >= 3 or bool((works & (seconds > 120)).any())
    return {"keep_alive": keeps, "rhythm": bool(is_screen and enough)}


def _places(flows: FlowBatch) -> NDArray[np.uint64]:
    """(n, 2): the /24 or /64 of each destination."""
    places = flows.destination.copy()
    is_v4 = flows.family == 4
    places[is_v4, 1] &= np.uint64(0xFFFF_FFFF_FFFF_FF00)
    places[~is_v4, 1] = 0
    return places


def _place_of(flows: FlowBatch, row: int) -> tuple[int, int]:
    high, low = _places(flows.take(slice(row, row + 1)))[0].tolist()
    return high, low
