"""How much care depends on an asset: classes C0 to C4 (isolation ladder and impact)."""

from __future__ import annotations

from detector.hospital import Asset, CareClass

#: Default class of a role; a person's entry in the ledger wins.
CLASS_OF_ROLE: dict[str, CareClass] = {
    "monitor": "C4", "medical_device": "C4",
    "emr_server": "C3", "database": "C3", "domain_controller": "C3", "dns": "C3", "dhcp": "C3",
    "pacs": "C3", "hl7_engine": "C3", "pharmacy": "C3", "backup": "C3", "gateway": "C3",
    "network_device": "C3", "directory_sync": "C3",
    "modality": "C2", "server": "C2", "file_server": "C2", "analyser": "C2", "viewer": "C2",
    "bastion": "C2", "scanner": "C2", "wsus": "C2", "vendor_landing": "C2", "admin": "C1",
    "terminal": "C1", "printer": "C1", "camera": "C1", "vendor_router": "C0", "unknown": "C1",
}  # fmt: skip

#: Impact factor of a class in an incident's priority.
IMPACT_OF_CLASS: dict[str, float] = {"C0": 0.6, "C1": 0.6, "C2": 0.8, "C3": 1.0, "C4": 1.2}

#: The roles whose loss opens or stops everything weigh like life-critical ones.
_HEAVY = frozenset({"domain_controller", "backup"})


def care_class(role: str, listed: Asset | None) -> CareClass:
    """The care class of an asset: the ledger's word, else its role's default."""
    if listed is not None and listed.care_class is not None:
        return listed.care_class
    if listed is not None and listed.role != "unknown":
        role = listed.role
    return CLASS_OF_ROLE.get(role, "C1")


def care_impact(role: str, listed: Asset | None) -> float:
    """Factor 0.6 (office) to 1.2 (life-critical, AD, backup)."""
    return 1.2 if role in _HEAVY else IMPACT_OF_CLASS[care_class(role, listed)]
