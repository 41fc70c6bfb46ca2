"""Assets as seen beside the ledger: one row an address, with the difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal

from detector.hospital import Asset
from detector.ledger_check import differs_in_mac, differs_in_name, differs_in_vlan
from detector.store import Store

#: unlisted = seen, not in the ledger · missing = in the ledger, not seen · mismatch = they differ.
AssetVerdict = Literal["unlisted", "missing", "mismatch", "match"]
VERDICTS: tuple[AssetVerdict, ...] = ("unlisted", "missing", "mismatch", "match")


@dataclass(frozen=True)
class AssetRow:
    """One address, as seen and as listed."""

    ip: str
    verdict: AssetVerdict
    seen: Mapping[str, Any] | None = None  # as `detector.assets` describes it
    listed: Asset | None = None
    differs: tuple[str, ...] = field(default=())  # e.g. ("mac", "role")


def compare_assets(store: Store) -> list[AssetRow]:
    """Every address that was seen or is listed, with the difference, by address."""
    seen = {str(asset["ip"]): asset for asset in store.seen_assets()}
    listed = {asset.ip: asset for asset in store.ledger()}
    addresses = sorted({*seen, *listed}, key=address_order)
    return [_compare(ip, seen.get(ip), listed.get(ip)) for ip in addresses]


def _compare(ip: str, seen: Mapping[str, Any] | None, listed: Asset | None) -> AssetRow:
    if listed is None:
        return AssetRow(ip, "unlisted", seen=seen)
    if seen is None:
        return AssetRow(ip, "match" if listed.is_retired else "missing", listed=listed)
    differs = ["retired"] if listed.is_retired else []
    if differs_in_mac(str(seen.get("mac", "")), listed):
        differs.append("mac")
    if differs_in_name([str(n) for n in seen.get("names", ())], listed):
        differs.append("name")
    if differs_in_vlan(int(seen.get("vlan", 0)), listed):
        differs.append("vlan")
    # A role that was taken from the ledger agrees with it by itself.
    roles = (str(seen.get("role", "unknown")), listed.role)
    if "unknown" not in roles and roles[0] != roles[1]:
        differs.append("role")
    verdict: AssetVerdict = "mismatch" if differs else "match"
    return AssetRow(ip, verdict, seen, listed, tuple(differs))


def address_order(ip: str) -> tuple[int, int, str]:
    """Addresses as people count them; what is none comes last."""
    try:
        address = ip_address(ip)
    except ValueError:
        return 9, 0, ip
    return address.version, int(address), ip
