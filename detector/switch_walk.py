"""What a switch tells by SNMP of who hangs where: the walks of its tables, read to port entries.

BRIDGE-MIB and Q-BRIDGE-MIB (RFC 4188, RFC 4363) name the bridge port of each MAC, IF-MIB
(RFC 2863) the port as people call it; LLDP-MIB (IEEE 802.1AB) and Cisco's CDP-MIB tell which
ports lead to another switch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detector.switch_ports import PortEntry

MAX_LINES: Final = 500_000

_BASE_PORT_IF: Final = ".1.3.6.1.2.1.17.1.4.1.2"
_IF_NAME: Final = ".1.3.6.1.2.1.31.1.1.1.1"
_FDB_PORT: Final = ".1.3.6.1.2.1.17.4.3.1.2"
_Q_FDB_PORT: Final = ".1.3.6.1.2.1.17.7.1.2.2.1.2"
_LLDP_LOCAL_ID: Final = ".1.0.8802.1.1.2.1.3.7.1.3"
_LLDP_CAPABILITIES: Final = ".1.0.8802.1.1.2.1.4.1.1.12"
_CDP_CAPABILITIES: Final = ".1.3.6.1.4.1.9.9.23.1.2.1.1.9"

#: What is asked for; nothing else is, and nothing is ever set.
SUBTREES: Final = (
    _BASE_PORT_IF, _IF_NAME, _FDB_PORT, _Q_FDB_PORT, _LLDP_LOCAL_ID, _LLDP_CAPABILITIES,
    _CDP_CAPABILITIES,
)  # fmt: skip

#: `.1.3.6… = INTEGER: 5`, or shorter with -OQ (no type) or -Oq (no sign either).
_LINE: Final = re.compile(
    r"^(\.?1\.[0-9.]+)\s*(?:=\s*|\s)(?:(?:INTEGER|STRING|Hex-STRING|Gauge32|BITS):\s*)?(.*)$"
)
# LLDP's bits, counted from the left: bridge 2, access point 3, telephone 5.
_LLDP_BRIDGE, _LLDP_OTHERS = 0x20, 0x10 | 0x04
_CDP_SWITCH, _CDP_PHONE = 0x08, 0x80


def is_walk(text: str) -> bool:
    """Is this what snmpwalk prints with numbers (-On)?"""
    return any(line.startswith((".1.3.6.1.", ".1.0.8802.")) for line in text.splitlines()[:20])


def read_walk(text: str, switch: str) -> list[PortEntry]:
    """The machines of a switch and their ports; ports that lead to another switch are left out."""
    told: dict[str, dict[tuple[int, ...], str]] = {subtree: {} for subtree in SUBTREES}
    for subtree, index, value in _values(text):
        told[subtree][index] = value
    names = {index[-1]: name for index, name in told[_IF_NAME].items() if name}
    interfaces = {i[-1]: _count(v) for i, v in told[_BASE_PORT_IF].items()}
    uplinks = _uplinks(told, names)
    entries: dict[PortEntry, None] = {}
    for index, value in [*told[_FDB_PORT].items(), *told[_Q_FDB_PORT].items()]:
        mac = index[-6:]
        number = _count(value)
        if len(mac) < 6 or max(mac) > 255 or number == 0:
            continue  # port 0: known, but not where
        port = names.get(interfaces.get(number, -1), f"port{number}")
        if port not in uplinks:
            entries[PortEntry(switch, port, ":".join(f"{octet:02x}" for octet in mac))] = None
    return list(entries)


def _values(text: str) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Subtree, index and value of each line that belongs to what was asked."""
    for line in text.splitlines()[:MAX_LINES]:
        found = _LINE.match(line)
        if found is None:
            continue
        number = "." + found[1].strip(".")
        subtree = next((s for s in SUBTREES if number.startswith(s + ".")), "")
        if not subtree:
            continue
        words = number[len(subtree) + 1 :].split(".")
        if all(word.isdigit() and len(word) <= 10 for word in words):
            yield subtree, tuple(map(int, words)), found[2].strip().strip('"').strip()


def _uplinks(
    told: dict[str, dict[tuple[int, ...], str]], names: dict[int, str]
) -> set[str]:  # fmt: skip
    """Names of ports behind which another switch speaks; phones and access points are none."""
    found: set[str] = set()
    for index, value in told[_LLDP_CAPABILITIES].items():
        bits = _first_octets(value)
        if len(index) == 3 and bits and bits[0] & _LLDP_BRIDGE and not bits[0] & _LLDP_OTHERS:
            local = told[_LLDP_LOCAL_ID].get((index[1],), "")
            found |= {local, names.get(index[1], "")}
    for index, value in told[_CDP_CAPABILITIES].items():
        bits = _first_octets(value)
        if len(index) == 2 and bits and bits[-1] & _CDP_SWITCH and not bits[-1] & _CDP_PHONE:
            found.add(names.get(index[0], ""))
    return found - {""}


def _count(value: str) -> int:
    """A number as switches count ports; 0 for anything else, however long."""
    return int(value) if re.fullmatch(r"[0-9]{1,10}", value) else 0


def _first_octets(value: str) -> bytes:
    """Octets written in hex, as `28 00`; empty for anything else."""
    words = value.split()[:8]
    if not words or any(not re.fullmatch(r"[0-9A-Fa-f]{2}", word) for word in words):
        return b""
    return bytes(int(word, 16) for word in words)
