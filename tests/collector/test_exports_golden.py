"""Real exporters' datagrams decode to the records that other collectors read from them."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.exports.decoder import ExportDecoder, ExportSettings
from collector.flows import FlowBatch, address_number, address_text
from tests.collector.exports_input import datagrams_of

PROTOCOLS = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "ipv6-icmp": 58,
    "gre": 47,
    "esp": 50,
    "ospf": 89,
    "vrrp": 112,
}
Key = tuple[str, str, int, int, int, int, int]


def golden_cases(captures: Path) -> list[dict[str, Any]]:
    text = (captures / "flow-export" / "golden.json").read_text(encoding="utf-8")
    cases: list[dict[str, Any]] = json.loads(text)
    return cases


def payloads_of(file: Path) -> list[tuple[int, tuple[int, int], int, bytes]]:
    """(time, exporter, port, payload) of a raw payload file, or of each datagram of a capture."""
    if file.suffix != ".pcap":
        return [(0, address_number("192.0.2.1"), 2055, file.read_bytes())]
    from scapy.all import IP, UDP, IPv6, rdpcap

    found = []
    for packet in rdpcap(str(file)):
        layer = IP if IP in packet else IPv6
        if UDP in packet:
            payload = bytes(packet[UDP].payload)
            exporter = address_number(packet[layer].src)
            found.append((int(packet.time * 10**9), exporter, packet[UDP].sport, payload))
    return found


def decoded(folder: Path, files: list[str]) -> tuple[FlowBatch, ExportDecoder]:
    decoder = ExportDecoder(ExportSettings(scale_sampled=False))
    batches = []
    for name in files:
        batches.append(decoder.decode(datagrams_of(payloads_of(folder / name))))
    return FlowBatch.join(batches), decoder


def number(value: object) -> int:
    """null and NaN count as 0; protocols and addresses may be given by name."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return 0
    return PROTOCOLS.get(str(value)) or int(str(value))


def golden_key(flow: dict[str, Any]) -> Key:
    protocol, ports = number(flow["proto"]), (number(flow["sport"]), number(flow["dport"]))
    if protocol in (1, 58) and ports[0] == 0:
        ports = ports[1] >> 8, ports[1] & 255
    source, destination = (address_text(*address_number(flow[side])) for side in ("src", "dst"))
    return (source, destination, *ports, protocol, number(flow["bytes"]), number(flow["packets"]))


def our_keys(flows: FlowBatch) -> list[Key]:
    return [
        (
            address_text(*row["source"]),
            address_text(*row["destination"]),
            int(row["source_port"]),
            int(row["destination_port"]),
            int(row["protocol"]),
            int(row["bytes"]),
            int(row["packets"]),
        )
        for row in flows.rows
    ]


@pytest.mark.parametrize("index", range(31))
def test_every_golden_record_is_decoded(captures: Path, index: int) -> None:
    case = golden_cases(captures)[index]
    golden = [flow for flow in case["flows"] if flow["src"] is not None]  # the rest are options
    wanted = Counter(golden_key(flow) for flow in golden)
    flows, decoder = decoded(captures / "flow-export", case["files"])
    if all(flow["sport"] is None and flow["dport"] is None for flow in golden):
        # These peers give ICMP no type or code.
        is_icmp = np.isin(flows.protocol, (1, 58))
        for column in ("source_port", "destination_port"):
            flows.rows[column][is_icmp] = 0
    assert {k: v for c in decoder.exporters.values() for k, v in c.malformed.items()} == {}
    if case["peer"].startswith("pmacct"):
        wanted, got = summed(wanted), summed(Counter(our_keys(flows)))
    else:
        got = Counter(our_keys(flows))
    missing = wanted - got
    assert not missing, f"{case['id']}: {list(missing)[:3]}, got e.g. {list(got)[:3]}"


def summed(flows: Counter[Key]) -> Counter[Key]:
    """pmacct adds up records of one tuple; so do we before comparing."""
    totals: dict[tuple[str, str, int, int, int], list[int]] = {}
    for key, count in flows.items():
        total = totals.setdefault(key[:5], [0, 0])
        total[0] += key[5] * count
        total[1] += key[6] * count
    return Counter((*key, *total) for key, total in totals.items())
