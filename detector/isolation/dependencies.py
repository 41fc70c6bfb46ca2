"""What depends on a host: its services and clients, counted from the flows that were kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.lake import Lake
from detector.hospital import Hospital
from detector.isolation.plan import Stop

_HOUR_NS = 3_600_000_000_000
_LIVE_NS = 15 * 60 * 1_000_000_000
_LOOK_BACK_NS = 7 * 24 * _HOUR_NS
_MOST_STOPS = 8

#: Traffic that every host has and whose stop nobody on a ward would notice.
_BACKGROUND = frozenset({"dns", "ntp", "mdns", "llmnr", "nbns", "ssdp", "dhcp", "icmp", "igmp"})

_WORDS = {
    "dicom": "DICOM画像・ワークリスト", "hl7": "HL7連携", "smb": "ファイル共有", "http": "Web",
    "tls": "Web（TLS）", "mssql": "データベース", "oracle": "データベース",
    "postgres": "データベース", "mysql": "データベース", "intersystems": "データベース",
    "printer": "印刷",
    "kerberos": "認証（AD）", "ldap": "認証（AD）", "rdp": "リモートデスクトップ",
}  # fmt: skip


class LakeDependencies:
    """Reads the flow lake; callable as `planner.Dependencies`."""

    def __init__(self, lake: Lake, hospital: Hospital) -> None:
        self._lake = lake
        self._hospital = hospital
        self._read: dict[tuple[str, int], list[Any]] = {}

    def read_ahead(self, asked: Iterable[tuple[str, int]]) -> None:
        """Read the flows of several hosts (address, time) at once instead of one by one."""
        several = [(ip, at_ns) for ip, at_ns in dict.fromkeys(asked) if ip]
        spans = [(ip, at_ns - _LOOK_BACK_NS, at_ns) for ip, at_ns in several]
        self._read = dict(zip(several, self._lake.tallies(spans), strict=True))

    def __call__(self, ip: str, at_ns: int) -> tuple[Stop, ...]:
        """Services this host gives or uses, gravest first.

        The expectation for the next 8 hours is the mean over the days of the past week that hold
        flows in those hours of the day.
        """
        if (ip, at_ns) not in self._read:
            self.read_ahead([(ip, at_ns)])
        counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        expected: dict[str, int] = defaultdict(int)
        days: set[str] = set()
        live: set[str] = set()
        at = datetime.fromtimestamp(at_ns / 1e9, UTC)
        hours = {(at + timedelta(hours=h)).hour for h in range(8)}
        for peer, app, port, hour, day, flows, last_ns in self._read.get((ip, at_ns), ()):
            if app in _BACKGROUND:
                continue
            service = _WORDS.get(app, app if app != "unknown" else f"ポート {port}")
            counts[service][peer] += flows
            days.add(day)
            if hour in hours:
                expected[service] += flows
            if at_ns - last_ns <= _LIVE_NS:
                live.add(service)
        stops = [
            Stop(
                service=service,
                peers=tuple(self._name(p) for p in sorted(peers, key=lambda p: -peers[p])[:20]),
                flows_8h=round(expected[service] / max(1, len(days))),
                is_live=service in live,
            )
            for service, peers in counts.items()
        ]
        stops.sort(key=lambda s: (-s.is_live, -s.flows_8h, s.service))
        return tuple(stops[:_MOST_STOPS])

    def _name(self, ip: str) -> str:
        listed = self._hospital.asset_by_ip.get(ip)
        return listed.name if listed and listed.name else ip
