"""Asks switches by SNMP who hangs where, only when a person tells it to, and only listed ones.

Debian's snmpbulkwalk does the asking, so that SNMPv3 and its keys are its matter: credentials
stand in an snmp.conf that nobody but its owner can read, never in arguments, settings or logs.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.care import care_class
from detector.hospital import Hospital
from detector.switch_ports import PortEntry
from detector.switch_walk import SUBTREES, read_walk

PROGRAM: Final = "snmpbulkwalk"
#: Seconds for an answer, tries after the first, and seconds for one table.
_ANSWER_S, _RETRIES, _TABLE_S = 3, 1, 60
_MOST_BYTES: Final = 50 << 20


class AskingRefused(ValueError):
    """A list of switches, or one of them, that must not be asked; the message says why."""


class NoAnswer(Exception):
    """A switch that did not answer as asked; the message says where and why."""


class Switch(BaseModel):
    """One switch that may be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    address: IPv4Address | IPv6Address
    credentials: Path = Field(description="folder with an snmp.conf, readable by its owner only")
    port: int = Field(161, ge=1, le=65535)


class Switches(BaseModel):
    """The switches that may be asked; no others are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    switches: tuple[Switch, ...] = Field(min_length=1, max_length=2000)


@dataclass(frozen=True)
class Answered:
    """What one switch told, and what it did not answer."""

    switch: Switch
    entries: tuple[PortEntry, ...]
    fault: str = ""


def read_switches(path: Path) -> Switches:
    """Read the list (TOML); `credentials` are taken from where it lies. Raises `AskingRefused`."""
    try:
        told = Switches.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as fault:  # what was written there is not told: it may be a password
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors()]
        raise AskingRefused(f"{path}: {'; '.join(faults)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise AskingRefused(f"{path}: {fault}") from fault
    here = path.resolve().parent
    listed = tuple(
        s.model_copy(update={"credentials": here / s.credentials}) for s in told.switches
    )
    return Switches(switches=listed)


def check_switch(switch: Switch, hospital: Hospital) -> None:
    """Raise `AskingRefused` unless this switch may be asked."""
    address = str(switch.address)
    if not hospital.segments or not hospital.is_inside(address):
        raise AskingRefused(
            f"{switch.name}: {address} is not in the address plan; only the hospital's own "
            "switches are asked"
        )
    listed = hospital.asset_by_ip.get(address)
    if listed is not None and care_class(listed.role, listed) == "C4":
        raise AskingRefused(f"{switch.name}: {address} is life-critical in the ledger")
    conf = switch.credentials / "snmp.conf"
    if not conf.is_file():
        raise AskingRefused(f"{switch.name}: {conf} is missing; see man snmp.conf")
    if conf.stat().st_mode & 0o077:
        raise AskingRefused(f"{switch.name}: {conf} can be read by others; chmod 600 {conf}")


def ask_switches(listed: Switches, hospital: Hospital) -> list[Answered]:
    """Ask all of them, one after another; none if one of them must not be (`AskingRefused`)."""
    for switch in listed.switches:
        check_switch(switch, hospital)
    return [_ask(switch) for switch in listed.switches]


def _ask(switch: Switch) -> Answered:
    """Read one switch's tables; what it does not answer is told."""
    kind, address = ("udp6", f"[{switch.address}]") if switch.address.version == 6 else (
        "udp", str(switch.address),
    )  # fmt: skip
    place = f"{kind}:{address}:{switch.port}"
    texts: list[str] = []
    for subtree in SUBTREES:
        try:
            texts.append(_walk(place, subtree, switch.credentials))
        except NoAnswer as fault:
            return Answered(switch, (), str(fault))
    return Answered(switch, tuple(read_walk("\n".join(texts), switch.name)))


def _walk(place: str, subtree: str, credentials: Path) -> str:
    """One table as text; a table that the switch does not have is empty."""
    words = [PROGRAM, "-OnUQ", "-t", str(_ANSWER_S), "-r", str(_RETRIES), place, subtree]
    environment = {**os.environ, "SNMPCONFPATH": str(credentials), "MIBS": ""}
    with tempfile.TemporaryFile() as table:
        try:
            done = subprocess.run(
                words, stdout=table, stderr=subprocess.PIPE, timeout=_TABLE_S, check=False,
                env=environment, preexec_fn=_bound_output,
            )  # fmt: skip
        except FileNotFoundError as fault:
            raise NoAnswer(f"{PROGRAM} is not installed; apt install snmp") from fault
        except subprocess.TimeoutExpired as fault:
            raise NoAnswer(f"{place}: {subtree} took over {_TABLE_S} s") from fault
        if done.returncode == -signal.SIGXFSZ:
            raise NoAnswer(f"{place}: {subtree} is longer than {_MOST_BYTES >> 20} MiB")
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NoAnswer(f"{place}: {told[-1] if told else f'status {done.returncode}'}")
        table.seek(0)
        return table.read().decode("utf-8", "replace")


def _bound_output() -> None:
    """The system ends who writes more: a table that never ends fills neither disk nor memory."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, _MOST_BYTES))
