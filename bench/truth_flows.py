"""Flows beside those of Zeek, Arkime and ipfixprobe, connection by connection.

    python -m bench.truth_flows FOLDER [--verbose]

FOLDER holds captures with a peer's output beside them: NAME.expected.conn.log (Zeek),
NAME.expected.arkime.json (sessions) or NAME.expected.biflow.csv (ipfixprobe). Zeek's connections
agree when both ends, ports, packets, IP bytes and state are equal; of the others, whose flows are
cut by other rules, the packets per pair of ends are compared. docs/flow-truth.md explains what
remains.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.capture import open_capture
from collector.fastlane import FastLane, FastLaneSettings
from collector.flows import STATES, FlowBatch, address_number, address_text

_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
#: What is compared of a Zeek connection, where its log has it.
_COUNTED = ("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "conn_state")

Ends = tuple[Any, ...]


@dataclass
class Agreement:
    """How many connections (or pairs of ends) of a peer we tell alike, and where not."""

    peer: str
    alike: int = 0
    total: int = 0
    differences: list[str] = field(default_factory=list)

    def note(self, is_alike: bool, difference: str) -> None:
        self.total += 1
        self.alike += is_alike
        if not is_alike:
            self.differences.append(difference)

    @property
    def share(self) -> float:
        return self.alike / self.total if self.total else 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true", help="show every difference")
    chosen = parser.parse_args()
    for agreement in (compare_zeek(chosen.folder), compare_arkime(chosen.folder),
                      compare_ipfixprobe(chosen.folder)):  # fmt: skip
        print(
            f"{agreement.peer:12}{agreement.alike:6} of {agreement.total:6} {agreement.share:.1%}"
        )
        if chosen.verbose:
            print("\n".join(f"  {line}" for line in agreement.differences))
    return 0


def read_flows(path: Path, drop_bad_checksums: bool = False) -> FlowBatch:
    """All flows of a capture, counted as Zeek does."""
    settings = FastLaneSettings(count_offloaded=False, drop_bad_checksums=drop_bad_checksums)
    lane = FastLane(settings)
    with open_capture(path) as capture:
        return FlowBatch.join([*(lane.feed(chunk).flows for chunk in capture), lane.finish().flows])


def compare_zeek(folder: Path) -> Agreement:
    """Connection by connection; each of Zeek's takes the like one of ours, if there is one.

    A log does not tell whether Zeek ran with -C (wrong checksums count) or without; both are tried.
    """
    agreement = Agreement("Zeek")
    for capture, log in _expected(folder, ".expected.conn.log"):
        lines = [line for line in read_zeek_log(log) if "id.orig_h" in line]
        found = min(
            (_unlike(read_flows(capture, drops), lines) for drops in (False, True)), key=len
        )
        agreement.alike += len(lines) - len(found)
        agreement.total += len(lines)
        agreement.differences += [f"{capture.name}: {difference}" for difference in found]
    return agreement


def _unlike(flows: FlowBatch, lines: list[dict[str, str]]) -> list[str]:
    """Zeek's connections that we tell otherwise, in words."""
    ours: dict[Ends, list[dict[str, str]]] = {}
    for row in flows.rows:
        ours.setdefault(_zeek_ends(row), []).append(_zeek_counts(row))
    differences = []
    for line in lines:
        ends = (
            _protocol_of(line), line["id.orig_h"].lower(), int(line["id.orig_p"]),
            line["id.resp_h"].lower(), int(line["id.resp_p"]),
        )  # fmt: skip
        wanted = {name: line[name] for name in _COUNTED if name in line}
        found = ours.get(ends, [])
        like = [f for f in found if all(f[name] == value for name, value in wanted.items())]
        if not like:
            differences.append(f"{ends} {wanted} ours {found or 'other'}")
        if found:
            found.remove(like[0] if like else found[0])
    return differences


def compare_arkime(folder: Path) -> Agreement:
    agreement = Agreement("Arkime")
    for capture, log in _expected(folder, ".expected.arkime.json"):
        packets: Counter[Ends] = Counter()
        for session in json.loads(log.read_text())["sessions3"]:
            body = session["body"]
            source, destination = body["source"], body["destination"]
            if "ip" not in source:  # ARP and the like
                continue
            packets[_pair(
                body["ipProtocol"], source["ip"], source.get("port", 0),
                destination["ip"], destination.get("port", 0),
            )] += body["network"]["packets"]  # fmt: skip
        _compare_packets(agreement, capture, packets)
    return agreement


def compare_ipfixprobe(folder: Path) -> Agreement:
    agreement = Agreement("ipfixprobe")
    for capture, log in _expected(folder, ".expected.biflow.csv"):
        packets: Counter[Ends] = Counter()
        told = set()
        for line in _read_biflows(log):
            pair = _pair(
                int(line["PROTOCOL"]), line["SRC_IP"], int(line["SRC_PORT"]), line["DST_IP"],
                int(line["DST_PORT"]),
            )  # fmt: skip
            record = tuple(cell for name, cell in line.items() if not name.startswith("NB_"))
            if record not in told:  # its NetBIOS plugin writes the same flow once per name
                packets[pair] += int(line["PACKETS"]) + int(line["PACKETS_REV"])
            told.add(record)
        _compare_packets(agreement, capture, packets)
    return agreement


def _read_biflows(log: Path) -> Iterator[dict[str, str]]:
    """Rows of an ipfixprobe log, whose line of types and names may stand anywhere in it."""
    with log.open(newline="") as file:
        lines = list(csv.reader(file))
    heads = [line for line in lines if line and line[0].startswith("ipaddr ")]
    names = [cell.split()[-1] for cell in heads[0]]
    yield from (dict(zip(names, line, strict=False)) for line in lines if line not in heads)


def _compare_packets(agreement: Agreement, capture: Path, wanted: Counter[Ends]) -> None:
    ours: Counter[Ends] = Counter()
    for row in read_flows(capture).rows:
        pair = _pair(
            int(row["protocol"]), address_text(*row["source"]), int(row["source_port"]),
            address_text(*row["destination"]), int(row["destination_port"]),
        )  # fmt: skip
        ours[pair] += int(row["packets"]) + int(row["reply_packets"])
    for pair, count in wanted.items():
        agreement.note(ours[pair] == count, f"{capture.name}: {pair} {count}, ours {ours[pair]}")


def _expected(folder: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    for log in sorted(folder.rglob(f"*{suffix}")):
        yield log.with_name(log.name.removesuffix(suffix)), log


def read_zeek_log(log: Path) -> Iterator[dict[str, str]]:
    """Rows of a Zeek log in its tab-separated form."""
    names: list[str] = []
    for line in log.read_text().splitlines():
        if line.startswith("#fields\t"):
            names = line.split("\t")[1:]
        elif line and not line.startswith("#"):
            cells = line.split("\t")
            if not names:  # a baseline cut to a few columns starts with their names
                names = cells
            else:
                yield dict(zip(names, cells, strict=False))


def _protocol_of(line: dict[str, str]) -> int:
    if line["proto"] == "icmp":
        return 58 if ":" in line["id.orig_h"] else 1
    return _PROTOCOLS.get(line["proto"]) or int(line.get("ip_proto", 0))


def _zeek_ends(row: Any) -> Ends:
    return (
        int(row["protocol"]), address_text(*row["source"]), int(row["source_port"]),
        address_text(*row["destination"]), int(row["destination_port"]),
    )  # fmt: skip


def _zeek_counts(row: Any) -> dict[str, str]:
    counts = (row["packets"], row["bytes"], row["reply_packets"], row["reply_bytes"])
    values = [*(str(count) for count in counts), STATES[row["state"]]]
    return dict(zip(_COUNTED, values, strict=True))


def _pair(protocol: int, source: str, sport: int, destination: str, dport: int) -> Ends:
    """Both ends in one order; without ports where the peers disagree what they are."""
    if protocol in (1, 58):
        sport = dport = 0
    ends = sorted([(address_number(source), sport), (address_number(destination), dport)])
    return (protocol, *ends)


if __name__ == "__main__":
    sys.exit(main())
