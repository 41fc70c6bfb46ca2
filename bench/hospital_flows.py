"""Flows of a hospital's ordinary days, written by numpy: rates and services, no attacks.

Clients keep to their own few servers, most work is done by day, a tenth of it leaves the house,
and some of it fails. It is a load for measurements, not a model to judge detectors by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE, FlowBatch
from detector.hospital import Hospital, RegisteredLine, Segment

DAY_NS: Final = 86_400_000_000_000
HOUR_NS: Final = 3_600_000_000_000
#: A Monday, 00:00 in Japan.
START_NS: Final = 1_762_095_600_000_000_000
_MAPPED: Final = 0xFFFF_0000_0000
_INSIDE: Final = _MAPPED | 10 << 24
_OUTSIDE: Final = _MAPPED | 34 << 24
#: (app, protocol, port, share of flows, servers a thousand hosts have); 0 servers: outside.
_SERVICES: Final = (
    ("dns", 17, 53, 0.22, 3), ("tls", 6, 443, 0.20, 20), ("tls", 6, 443, 0.12, 0),
    ("kerberos", 6, 88, 0.05, 3), ("ldap", 6, 389, 0.05, 3), ("smb", 6, 445, 0.09, 10),
    ("http", 6, 80, 0.06, 15), ("http", 6, 80, 0.02, 0), ("mssql", 6, 1433, 0.05, 5),
    ("dicom", 6, 104, 0.03, 4), ("hl7", 6, 2575, 0.03, 4), ("ntp", 17, 123, 0.03, 2),
    ("printer", 6, 9100, 0.02, 60), ("snmp", 17, 161, 0.015, 100), ("rdp", 6, 3389, 0.003, 15),
    ("ssh", 6, 22, 0.002, 10), ("unknown", 6, 8443, 0.02, 10), ("icmp", 1, 0, 0.01, 50),
    ("quic", 17, 443, 0.01, 0),
)  # fmt: skip
#: Share of a day's flows in each hour: quiet nights, two peaks.
_HOURS: Final = np.array(
    [1, 1, 1, 1, 1, 1.5, 2.5, 5, 9, 10, 10, 9, 6, 8, 9, 8, 7, 5, 3, 2, 2, 1.5, 1.5, 1]
)
_SITES: Final = 3000
_ADMINISTRATORS: Final = 5
_BY_ADMINISTRATORS: Final = [at for at, s in enumerate(_SERVICES) if s[0] in ("rdp", "ssh", "snmp")]
_FAILING: Final = 0.02


@dataclass(frozen=True)
class _House:
    clients: NDArray[np.int64]  # host numbers
    servers: tuple[NDArray[np.int64], ...]  # host numbers by service; empty: outside


def hospital(hosts: int) -> Hospital:
    """Its plan: departments of /24 and one registered line."""
    segments = tuple(
        Segment(name=f"VLAN {at}", vlan=at + 1, prefixes=(ip_network((10 << 24 | at << 8, 24)),))
        for at in range((hosts >> 8) + 1)
    )
    line = RegisteredLine(
        id="L1", vendor="V", line_type="拠点間VPN", device_ip="10.250.0.250",
        outside=("203.0.113.7",), protocols=("ikev2", "esp"), landing=("10.250.0.251",),
    )  # fmt: skip
    return Hospital(segments=segments, lines=(line,))


def hours_of_flows(hosts: int, days: int, a_day: int, seed: int = 1) -> Iterator[FlowBatch]:
    """One batch an hour, in the order in which the records were complete."""
    rng = np.random.default_rng(seed)
    house = _build(hosts, rng)
    shares = _HOURS / _HOURS.sum()
    for hour in range(24 * days):
        is_weekend = hour // 24 % 7 >= 5
        count = int(a_day * shares[hour % 24] * (0.35 if is_weekend else 1.26))
        yield FlowBatch(_hour(house, START_NS + hour * HOUR_NS, count, rng))


def _build(hosts: int, rng: np.random.Generator) -> _House:
    numbers = rng.permutation(hosts)
    wanted = [-(-hosts * service[4] // 1000) for service in _SERVICES]
    ends = np.cumsum(wanted)
    servers = tuple(numbers[end - size : end] for end, size in zip(ends, wanted, strict=True))
    return _House(numbers, servers)


def _hour(house: _House, start_ns: int, count: int, rng: np.random.Generator) -> NDArray[Any]:
    rows = np.zeros(count, FLOW_DTYPE)
    kind = rng.choice(len(_SERVICES), count, p=_shares())
    client = house.clients[rng.integers(0, len(house.clients), count)]
    is_admin = np.isin(kind, _BY_ADMINISTRATORS)
    client[is_admin] = house.clients[rng.integers(0, _ADMINISTRATORS, int(is_admin.sum()))]
    draw = rng.random(count)
    target = np.zeros(count, np.int64)
    for at, (app, protocol, port, _, _) in enumerate(_SERVICES):
        of = kind == at
        rows["app"][of], rows["protocol"][of] = APP_CODE[app], protocol
        rows["destination_port"][of] = port
        servers = house.servers[at]
        if len(servers):  # a client keeps to three of a service's servers
            which = client[of] * 7 + (draw[of] * 3).astype(np.int64)
            target[of] = _INSIDE | servers[which % len(servers)]
        else:
            sites = (client[of] * 31 + (draw[of] ** 3 * 80).astype(np.int64)) % _SITES
            target[of] = _OUTSIDE | sites
    lasts_ns = (rng.exponential(3.0, count) * 1e9).astype(np.int64)
    rows["reported_ns"] = np.sort(start_ns + rng.integers(0, HOUR_NS, count))
    rows["last_ns"] = rows["reported_ns"] - 500_000_000
    rows["first_ns"] = rows["last_ns"] - lasts_ns
    rows["source"][:, 1], rows["destination"][:, 1] = _INSIDE | client, target
    rows["source_port"] = rng.integers(32768, 61000, count)
    rows["source_mac"] = 0x0200_0000_0000 | client
    rows["destination_mac"] = 0x0200_0000_0000 | (target & 0xFFFFFF)
    rows["family"], rows["sampling"] = 4, 1
    rows["ttl_min"] = rows["ttl_max"] = 128
    _fill_counts(rows, rng)
    return rows


def _fill_counts(rows: NDArray[Any], rng: np.random.Generator) -> None:
    count = len(rows)
    sizes = rng.integers(4, 60, count)
    rows["packets"], rows["reply_packets"] = sizes, sizes
    rows["bytes"], rows["reply_bytes"] = sizes * 180, sizes * 420
    is_tcp = rows["protocol"] == 6
    rows["flags"] = rows["reply_flags"] = np.where(is_tcp, 27, 0)
    rows["state"] = STATE_CODE["SF"]
    is_ping = rows["app"] == APP_CODE["icmp"]
    rows["source_port"][is_ping] = 8
    rows["bytes"][is_ping] = rows["reply_bytes"][is_ping] = sizes[is_ping] * 60
    failing = np.flatnonzero(rng.random(count) < _FAILING)
    rows["packets"][failing], rows["bytes"][failing] = 1, 60
    rows["reply_packets"][failing] = rows["reply_bytes"][failing] = 0
    rows["reply_flags"][failing], rows["flags"][failing] = 0, 2 * is_tcp[failing]
    rows["state"][failing] = STATE_CODE["S0"]


def _shares() -> NDArray[np.float64]:
    shares = np.array([service[3] for service in _SERVICES])
    return shares / shares.sum()
