"""What an intrusion detection system told: FortiGate's IPS and antivirus, Snort's one-line form."""

from __future__ import annotations

import re
from typing import Final

from collector.flows import plain_address
from collector.monitors.records import Record
from collector.sightings import IdsAlert

#: [1:2019401:3] ET MALWARE … [Classification: …] [Priority: 1] {TCP} 10.0.0.1:80 -> 10.0.0.2:90
_SNORT: Final = re.compile(
    r"\[(?P<group>\d{1,5}):(?P<number>\d{1,10}):\d{1,5}\] (?P<name>.{1,200}?)"
    r"(?: \[\*\*\])?(?: \[Classification: (?P<kind>[^\]]{1,80})\])?"
    r" \[Priority: (?P<priority>\d)\]:? (?:\{\S{1,12}\} )?"
    r"(?P<ip>[0-9a-fA-F.:]{3,45}?)(?::(?P<port>\d{1,5}))? -> "
    r"(?P<peer>[0-9a-fA-F.:]{3,45}?)(?::(?P<peer_port>\d{1,5}))?(?:\s|$)"
)
_PRIORITIES: Final = {"1": "high", "2": "medium", "3": "low"}
_LEVELS: Final = {
    "critical": "critical", "high": "high", "medium": "medium", "low": "low", "info": "info",
    "alert": "high", "warning": "medium", "notice": "low", "information": "info",
    "10": "critical", "9": "critical", "8": "high", "7": "high", "6": "medium", "5": "medium",
    "4": "medium", "3": "low", "2": "low", "1": "info", "0": "info",
}  # fmt: skip
_STOPPED: Final = ("block", "drop", "reset", "denied", "deny", "clear_session", "quarantine")
_TECHNIQUE: Final = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")


def ids_alert_of(record: Record, reporter_ip: str, time_ns: int, sensor: str) -> IdsAlert | None:
    """The alert that a record tells; None if it is none of an intrusion detection system."""
    if "[Priority: " in record.text:
        return _snort(record.text, reporter_ip, time_ns, sensor)
    kind = record.first("subtype", "fortinetfgtsubtype", "cat").removeprefix("utm:").lower()
    name = record.first("attack", "fortinetfgtattack", "virus", "fortinetfgtvirus")
    if kind not in ("ips", "virus", "anomaly") or not name:
        return None
    ends = (record.first("srcip", "src"), record.first("dstip", "dst"))
    level = record.first("severity", "crlevel", "level", "fortinetfgtseverity").lower()
    return IdsAlert(
        time_ns=time_ns,
        sensor=sensor,
        ip=_address(ends[0]),
        port=_port(record.first("srcport", "spt")),
        peer_ip=_address(ends[1]),
        peer_port=_port(record.first("dstport", "dpt")),
        monitor="fortigate",
        signature=name[:200],
        signature_id=record.first("attackid", "virusid", "fortinetfgtattackid")[:20],
        category=kind,
        severity=_LEVELS.get(level, "high" if kind == "virus" else "medium"),
        is_stopped=is_stopped(record.first("action", "act", "fortinetfgtaction")),
        reporter_ip=reporter_ip,
        techniques=techniques_in(record.text),
    )


def _snort(text: str, reporter_ip: str, time_ns: int, sensor: str) -> IdsAlert | None:
    found = _SNORT.search(text)
    if found is None:
        return None
    return IdsAlert(
        time_ns=time_ns,
        sensor=sensor,
        ip=_address(found["ip"]),
        port=_port(found["port"] or ""),
        peer_ip=_address(found["peer"]),
        peer_port=_port(found["peer_port"] or ""),
        monitor="snort",
        signature=found["name"].strip(),
        signature_id=f"{found['group']}:{found['number']}",
        category=found["kind"] or "",
        severity=_PRIORITIES.get(found["priority"], "info"),
        is_stopped="[Drop]" in text or "[Blocked]" in text,
        reporter_ip=reporter_ip,
        techniques=techniques_in(text),
    )


def is_stopped(action: str) -> bool:
    """Did the device that tells it stop the connection."""
    return action.lower().startswith(_STOPPED)


def techniques_in(text: str) -> tuple[str, ...]:
    """ATT&CK numbers that a record names, a few of them."""
    return tuple(dict.fromkeys(_TECHNIQUE.findall(text)))[:5]


def _address(text: str) -> str:
    try:
        return plain_address(text)
    except ValueError:
        return ""


def _port(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 6 and int(text) < 65_536 else 0
