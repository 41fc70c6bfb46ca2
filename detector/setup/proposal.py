"""The proposal: segments, parts of hosts and outside lines, each with what speaks for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses, ip_network
from typing import Any, Final, cast

from detector.hospital import Asset, LineType, RegisteredLine, Role, Segment
from detector.hosts import HostTable
from detector.ledger import write_ledger
from detector.lines.reference import carrier_of, is_virtual, sharing_range
from detector.register import write_register
from detector.setup.learner import OUTSIDE, Block, Doings, SetupLearner, block_text, hop_text

MIN_HOSTS: Final = 2
MIN_GATEWAY_FLOWS: Final = 3
MIN_GATEWAY_SHARE: Final = 0.1
SCANNED: Final = 100
BACKED_UP: Final = 5
BACKUP_BYTES: Final = 100_000_000
REPLICATED_HOURS: Final = 6

#: What kind of line a tunnel's protocol speaks for.
_LINE_TYPES: Final[dict[str, LineType]] = {
    "ipsec": "拠点間VPN", "pptp": "リモートアクセスVPN", "openvpn": "リモートアクセスVPN",
    "wireguard": "リモートアクセスVPN", "softether": "拠点間VPN", "fortinet_sslvpn": "SSL-VPN",
    "anyconnect": "SSL-VPN", "globalprotect": "SSL-VPN", "pulse": "SSL-VPN", "sstp": "SSL-VPN",
    "vpn_service": "SSL-VPN",
}  # fmt: skip


@dataclass(frozen=True)
class ProposedSegment:
    segment: Segment
    why: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """What traffic speaks for; `why` and the notes are for the person who confirms it."""

    span_h: float
    segments: tuple[ProposedSegment, ...]
    assets: tuple[Asset, ...]  # the note tells the evidence
    lines: tuple[RegisteredLine, ...]
    doubts: tuple[str, ...]

    def plan_toml(self, name: str = "病院", timezone: str = "Asia/Tokyo") -> str:
        """The plan as TOML, evidence as comments; edit it, then confirm it."""
        rows = [
            "# 構成案 (mimawari setup propose)。根拠を確かめて直し、mimawari setup confirm で"
            "確定してください。",
            f"# 観測時間 {self.span_h:.1f} 時間。セグメント名と closed (閉域) は必ず人が確かめる"
            "こと。",
            *(f"# 要確認: {doubt}" for doubt in self.doubts),
            "",
            f"name = {_quoted(name)}",
            f"timezone = {_quoted(timezone)}",
        ]
        for proposed in self.segments:
            segment = proposed.segment
            rows += ["", *(f"# {why}" for why in proposed.why), "[[segments]]"]
            rows += [f"name = {_quoted(segment.name)}", f"vlan = {segment.vlan}"]
            rows.append(f"prefixes = {_listed(str(p) for p in segment.prefixes)}")
            for field in ("gateway_macs", "dhcp_servers", "routers_v6"):
                rows.append(f"{field} = {_listed(getattr(segment, field))}")
            rows.append(f"closed = {str(segment.closed).lower()}")
        return "\n".join(rows) + "\n"

    def to_json(self, name: str, timezone: str) -> dict[str, Any]:
        """For the store and the console: the files as text, and the doubts."""
        files = {k: v.decode("utf-8-sig") for k, v in self.files(name, timezone).items()}
        return {"files": files, "doubts": list(self.doubts), "span_h": round(self.span_h, 1)}

    def files(self, name: str, timezone: str) -> dict[str, bytes]:
        """The three files a person goes through, by name."""
        return {
            "plan.toml": self.plan_toml(name, timezone).encode(),
            "assets.csv": write_ledger(self.assets),
            "register.csv": write_register(self.lines),
        }


def propose(
    learned: SetupLearner, hosts: HostTable, observed_lines: Iterable[Mapping[str, Any]]
) -> Proposal:
    """Make a proposal of what was learned; deterministic for the same traffic."""
    clusters = _clusters(learned)
    doubts: list[str] = []
    segments = tuple(_segment(learned, blocks, doubts) for blocks in clusters)
    span_h = (learned.last_ns - learned.first_ns) / 3600e9
    if span_h < 24:
        doubts.append(
            f"観測が {span_h:.1f} 時間と短い。夜間・休日・月末だけ動く機器は含まれていません。"
        )
    lines = _lines(observed_lines)
    return Proposal(span_h, segments, _assets(learned, hosts, clusters), lines, tuple(doubts))


def _clusters(learned: SetupLearner) -> list[list[int]]:
    """/24s that ask each other by ARP are one segment; lone ones need two hosts."""
    leader: dict[int, int] = {at: at for at in learned.blocks}

    def find(at: int) -> int:
        while leader[at] != at:
            at = leader[at]
        return at

    for (a, b), count in sorted(learned.neighbours.items()):
        near = a >> 4 == b >> 4  # within one /20; farther ones are strays, not a segment
        if a in leader and b in leader and near and count >= 2:
            leader[max(find(a), find(b))] = min(find(a), find(b))
    grouped: dict[int, list[int]] = {}
    for at in sorted(leader):
        grouped.setdefault(find(at), []).append(at)
    return [
        blocks for blocks in grouped.values()
        if sum(len(learned.blocks[b].hosts) for b in blocks) >= MIN_HOSTS
        and not _is_shared(blocks)
    ]  # fmt: skip


def _is_shared(blocks: list[int]) -> bool:
    """Ranges of phones that share their line, and of virtual machines, are nobody's segment."""
    first = block_text(blocks[0]).replace(".0/24", ".1")
    return len(blocks) == 1 and (sharing_range(first) is not None or is_virtual(first))


def _segment(learned: SetupLearner, blocks: list[int], doubts: list[str]) -> ProposedSegment:
    whole = [learned.blocks[b] for b in blocks]
    vlan = _main_vlan(whole)
    prefixes = tuple(collapse_addresses(_cover(blocks)))
    count = len(set().union(*(b.hosts for b in whole)))
    name = f"VLAN{vlan}" if vlan else str(prefixes[0])
    why = [f"機器 {count} 台を観測。" + (
        "ARP で互いに呼び合う範囲をまとめた。" if len(blocks) > 1 else
        "プレフィックス長は /24 と仮定(サブネットマスクは通信に現れない)。"
    )]  # fmt: skip
    gateways = _gateways(learned, blocks, why)
    servers = _dhcp_servers(learned, blocks, vlan, why, doubts)
    routers = sorted(mac for (v, mac) in learned.advertisers if v == vlan and vlan)
    if routers:
        why.append(f"IPv6 ルータ広告: {', '.join(routers)}")
    answered, attempts = sum(b.answered for b in whole), sum(b.attempts for b in whole)
    hours = (learned.last_ns - learned.first_ns) / 3600e9
    is_closed = answered == 0 and count >= 3
    why.append(
        f"インターネットへの応答あり通信 {answered} 件、応答なしの試行 {attempts} 件"
        f"({hours:.1f} 時間)。" + ("閉域とみなす。" if is_closed else "閉域ではない。")
    )
    segment = Segment(
        name=name, vlan=vlan, prefixes=prefixes, gateway_macs=gateways,
        dhcp_servers=servers, routers_v6=tuple(routers), closed=is_closed,
    )  # fmt: skip
    return ProposedSegment(segment, tuple(why))


def _main_vlan(blocks: list[Block]) -> int:
    vlans: Counter[int] = sum((b.vlans for b in blocks), Counter())
    tagged = [(n, v) for v, n in vlans.items() if v]
    return max(tagged)[1] if tagged else 0


def _cover(blocks: list[int]) -> list[IPv4Network]:
    """The narrowest prefix that holds all these /24s, if it is no wider than a /20."""
    networks = [cast(IPv4Network, ip_network(block_text(b))) for b in blocks]
    wide = networks[0]
    while not all(n.subnet_of(wide) for n in networks) and wide.prefixlen > 20:
        wide = wide.supernet()
    return [wide] if all(n.subnet_of(wide) for n in networks) else networks


def _gateways(learned: SetupLearner, blocks: list[int], why: list[str]) -> tuple[str, ...]:
    """Next hops of what leaves the segment, those that carry next to nothing left out."""
    own, homes = set(blocks), learned.homes()
    hops: Counter[int] = Counter()
    for (at, to, mac), count in learned.hops.items():
        # Behind its router a packet carries its target's own MAC, which leads to one address.
        is_router = len(learned.carried.get(mac, ())) >= 2
        if is_router and at in own and (to == OUTSIDE or to not in own):
            hops[mac] += count
    whole = sum(hops.values())
    chosen = [
        (mac, n) for mac, n in sorted(hops.items(), key=lambda h: (-h[1], h[0]))
        if n >= MIN_GATEWAY_FLOWS and n >= MIN_GATEWAY_SHARE * whole
    ]  # fmt: skip
    for mac, count in chosen:
        ip = homes.get(hop_text(mac), "")
        why.append(
            f"ゲートウェイ {hop_text(mac)}{f' ({ip})' if ip else ''}: セグメントを出る通信"
            f" {whole} 件中 {count} 件の次ホップ。"
        )
    if not chosen:
        why.append("ゲートウェイ: セグメントを出る通信のパケットが見えず不明。MAC を記入のこと。")
    return tuple(hop_text(mac) for mac, _ in chosen)


def _dhcp_servers(
    learned: SetupLearner, blocks: list[int], vlan: int, why: list[str], doubts: list[str]
) -> tuple[str, ...]:
    own = set(blocks)
    chosen: list[str] = []
    for server, leaser in sorted(learned.leasers.items()):
        is_here = any(b in own for b in leaser.blocks) or (vlan and vlan in leaser.vlans)
        if not is_here:
            continue
        is_sharing = sharing_range(server) is not None or any(
            "ANDROID" in s or carrier_of(s) for s in leaser.signs
        )
        if is_sharing:
            doubts.append(
                f"{server} が IP を貸し出しています({leaser.leases} 回)。スマートフォンや"
                "モバイルルータの可能性があるため、構成案には入れていません。"
            )
            continue
        chosen.append(server)
        routers = ", ".join(leaser.routers)
        why.append(f"DHCP サーバ {server}: 貸出 {leaser.leases} 回(ルータ {routers or '不明'})。")
    if len(chosen) > 1:
        doubts.append(f"{block_text(blocks[0])} に DHCP サーバが複数あります: {', '.join(chosen)}")
    return tuple(chosen)


def _assets(
    learned: SetupLearner, hosts: HostTable, clusters: list[list[int]]
) -> tuple[Asset, ...]:
    """A ledger pre-filled with every host of a proposed segment and what speaks for its role."""
    numbers = {n for blocks in clusters for b in blocks for n in learned.blocks[b].hosts}
    rows = []
    for number in sorted(numbers, key=lambda n: tuple(map(int, hosts.ip(n).split(".")))):
        host = hosts.get(number)
        role, why = _role(learned.doings.get(number, Doings()), host.role, host.role_reason)
        rows.append(
            Asset(ip=host.ip, mac=host.mac, name=host.name, role=role, vlan=host.vlan,
                  note=f"自動推定: {why}" if why else "")
        )  # fmt: skip
    return tuple(rows)


def _role(doings: Doings, inferred: str, reason: str) -> tuple[Role, str]:
    """The role that services told, or scanner, backup and bastion by what a host does."""
    if inferred != "domain_controller" and len(doings.replicated) >= REPLICATED_HOURS:
        return "directory_sync", (
            f"{len(doings.replicated)} つの時間帯にドメインコントローラから全パスワード情報を複製。"
            "Entra Connect などの同期サーバと確かめられなければ、直ちに調べること"
        )
    takes = [peer for peer, size in doings.night_bytes.items() if size >= BACKUP_BYTES]
    if inferred == "unknown" and len(takes) >= BACKED_UP:
        return "backup", f"夜間に {len(takes)} 台から各 100 MB 以上を受け取る"
    if len(doings.tried) >= SCANNED and doings.failed >= 0.5 * len(doings.tried):
        return "scanner", f"{len(doings.tried)} 台に接続を試み、{doings.failed} 件が失敗"
    if len(doings.controlled_by) >= 2 and len(doings.controls) >= 3:
        return "bastion", (
            f"{len(doings.controlled_by)} 台から操作され、{len(doings.controls)} 台を操作する"
        )
    return cast(Role, inferred), reason if inferred != "unknown" else ""


def _lines(observed: Iterable[Mapping[str, Any]]) -> tuple[RegisteredLine, ...]:
    """A register pre-filled with every line seen; vendor and contract are for people to add."""
    rows = []
    told = sorted(observed, key=lambda o: (str(o["device_ip"]), str(o["outside"])))
    for number, line in enumerate(told, start=1):
        if line["direction"] not in ("in", "out"):
            continue
        rows.append(
            RegisteredLine(
                id=f"案-{number:03d}",
                vendor="(要記入)",
                line_type=_LINE_TYPES.get(str(line["protocol"]), "リモートアクセスVPN"),
                device_ip=str(line["device_ip"]),
                device_mac=str(line["device_mac"]),
                outside=(str(line["outside"]),),
                protocols=_protocols(str(line["protocol"])),
                initiator="vendor" if line["direction"] == "in" else "hospital",
                note=f"自動検出: {line['label']}、{line['sessions']} 回、"
                f"送信 {line['bytes_out']} / 受信 {line['bytes_in']} バイト",
            )
        )
    return tuple(rows)


def _protocols(line: str) -> tuple[str, ...]:
    return ("ikev1", "ikev2", "esp", "nat_t") if line == "ipsec" else (line,)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _listed(texts: Iterable[str]) -> str:
    return "[" + ", ".join(_quoted(t) for t in texts) + "]"
