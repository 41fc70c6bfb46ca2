"""Which switch port a machine hangs on, out of switches' own MAC tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detector.cells import read_mac
from detector.sheet import Column, Fault, plain, read_records
from detector.words import Text

#: More machines than this behind one port: another switch, not a desk.
UPLINK_MACS: Final = 20
MAX_LINES: Final = 200_000
_MAC: Final = re.compile(
    r"(?i)(?<![0-9a-f])(?:[0-9a-f]{4}[.:-]){2}[0-9a-f]{4}(?![0-9a-f])"
    r"|(?<![0-9a-f])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-f])"
)
#: Gi1/0/5, port1.0.5, 1/5, ge-0/0/3, A12, Port-channel1; never a bare word such as DYNAMIC.
_PORT: Final = re.compile(r"(?i)^[a-z][a-z-]*\s?\d+(?:[/.:]\d+)*$|^\d+(?:[/.:]\d+)+$")

COLUMNS: Final[tuple[Column, ...]] = (
    Column("switch", "スイッチ", "Switch",
           ("接続スイッチ", "収容スイッチ", "HUB名", "スイッチ名", "機器名", "device")),
    Column("mac", "MACアドレス", "MAC address", ("MAC", "物理アドレス", "mac-address"),
           read=read_mac, is_required=True),
    Column("port", "ポート", "Port",
           ("スイッチポート", "収容ポート", "ポート番号", "interface", "ports", "destination port"),
           is_required=True),
)  # fmt: skip


@dataclass(frozen=True)
class PortEntry:
    """One row of a switch's MAC table."""

    switch: str
    port: str
    mac: str


@dataclass(frozen=True)
class EdgePort:
    """Where a machine hangs, and how many machines share that port (itself included)."""

    switch: str
    port: str
    machines: int

    def __str__(self) -> str:
        return f"{self.switch} {self.port}".strip()


def read_mac_table(source: Path | bytes, switch: str = "") -> tuple[list[PortEntry], list[Fault]]:
    """Read a table with headings (CSV, xlsx), or what a switch prints on its terminal.

    `switch` names the switch where the table does not. Rows that cannot be read come as faults;
    a printed line without a MAC is a heading or a rule, and is none.
    """
    records, faults = read_records(source, COLUMNS)
    if records or not any(fault.row == 0 for fault in faults):
        entries = [
            PortEntry(str(r.values.get("switch", switch)), str(r.values["port"]), r.values["mac"])
            for r in records
        ]
        return entries, faults
    content = source.read_bytes() if isinstance(source, Path) else source
    printed = list(_printed(content, switch))
    entries = [row for row in printed if isinstance(row, PortEntry)]
    return entries, [row for row in printed if isinstance(row, Fault)] if entries else faults


def edge_ports(entries: Iterable[PortEntry]) -> dict[str, EdgePort]:
    """By MAC: the port with the fewest machines; those seen on uplinks only are left out."""
    rows = dict.fromkeys(entries)
    machines = Counter((row.switch, row.port) for row in rows)
    found: dict[str, EdgePort] = {}
    for row in rows:
        count = machines[row.switch, row.port]
        known = found.get(row.mac)
        if count <= UPLINK_MACS and (known is None or count < known.machines):
            found[row.mac] = EdgePort(row.switch, row.port, count)
    return found


def differs_in_port(seen: str, listed: str) -> bool:
    """True where both name a port and the numbers differ; Gi1/0/5 is GigabitEthernet1/0/5."""
    numbers = [re.findall(r"\d+", plain(name).split(" ")[-1]) for name in (seen, listed)]
    return bool(numbers[0]) and bool(numbers[1]) and numbers[0] != numbers[1]


def _printed(content: bytes, switch: str) -> Iterable[PortEntry | Fault]:
    text = content[: 20 << 20].decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines()[:MAX_LINES], start=1):
        found = _MAC.search(line)
        if found is None:
            continue
        words = re.split(
            r"\s{2,}|\t|(?<=\w)\s(?=\S)", (line[: found.start()] + line[found.end() :])
        )
        ports = [word.strip() for word in words if _PORT.match(word.strip())]
        if ports:
            yield PortEntry(switch, ports[-1], read_mac(found[0]))
        elif "cpu" not in line.casefold():  # the switch's own addresses
            yield Fault(
                row=number,
                column="ポート",
                what=Text(ja="ポートが読めません。", en="no port can be read."),
                to_do=Text(
                    ja="見出し付きの CSV (スイッチ, MACアドレス, ポート) で取り込んでください。",
                    en="Import it as CSV with headings (Switch, MAC address, Port).",
                ),
                raw=line[:200],
            )
