"""Rules whose alerts nobody may silence, and detectors whose limits people's verdicts may move."""

from __future__ import annotations

from typing import Final

from detector.alerts import Alert

#: (detector, variant); "" = every variant. Facts that are grave by themselves.
_HARD: Final = frozenset(
    {
        ("landing_pivot", ""),
        ("file_encryption", ""),
        ("smb_exploit", "eternalblue"),
        ("smb_exploit", "doublepulsar"),
        ("sealed_sync", ""),
        ("remote_calls", "dcsync"),
        ("remote_calls", "dcshadow"),
        ("remote_calls", "coercion"),
        ("remote_calls", "relay"),
        ("remote_calls", "zerologon"),
        ("relayed_logon", "relayed"),
        ("exploit_bytes", "shell"),
        ("exploit_bytes", "staged"),
        ("exploit_bytes", "smbghost"),
        ("mass_effect", "printers"),
    }
)
#: EX-1 evidence that reaches this score summed up to five powers of ten.
_HARD_LINE_SCORE: Final = 85.0

#: What judges by how much and how often; the budget and people's feedback move these alone.
STATISTICAL: Final = frozenset(
    {"host_scan", "arp_sweep", "port_scan", "spread", "admin_edge", "paths", "beacon", "odd_post",
     "exfiltration", "clinical_abuse", "dns_tunnel", "icmp_tunnel", "new_destination",
     "directory_search", "fetched_program", "unusual_day", "slow_drift", "password_guessing"}
)  # fmt: skip


def is_hard(alert: Alert) -> bool:
    """True where the alert may not be silenced and is always immediate."""
    if (alert.detector, "") in _HARD or (alert.detector, alert.variant) in _HARD:
        return True
    return alert.detector == "hidden_line" and alert.score >= _HARD_LINE_SCORE
