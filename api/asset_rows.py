"""Assets as seen beside the ledger: one row an address, with the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final, Literal

from detector.hospital import Asset
from detector.ledger_check import differs_in_mac, differs_in_name, differs_in_vlan
from detector.store import Store
from detector.switch_ports import EdgePort, PortEntry, differs_in_port, edge_ports

#: The store's note of imported MAC tables.
SWITCH_PORTS: Final = "switch_ports"
MAX_ENTRIES: Final = 100_000

#: unlisted = seen, not in the ledger · missing = in the ledger, not seen · mismatch = they differ.
AssetVerdict = Literal["unlisted", "missing", "mismatch", "match"]
VERDICTS: tuple[AssetVerdict, ...] = ("unlisted", "missing", "mismatch", "match")


@dataclass(frozen=True)
class AssetRow:
    """One address, as seen and as listed."""

    ip: str  # a machine that is away, whose address is another's now, stands under its id
    verdict: AssetVerdict
    seen: Mapping[str, Any] | None = None  # as `detector.assets` describes it
    listed: Asset | None = None
    differs: tuple[str, ...] = field(default=())  # e.g. ("mac", "role")

    @property
    def name(self) -> str:
        """The ledger's name, else the one the machine gives itself; may be empty."""
        return (self.listed.name if self.listed else "") or str((self.seen or {}).get("name", ""))


def compare_assets(store: Store) -> list[AssetRow]:
    """Every address that was seen or is listed, with the difference, by address."""
    ports = store.note(SWITCH_PORTS).get("ports", {})
    seen = {str(asset["ip"]): _with_port(asset, ports) for asset in store.seen_assets()}
    listed = {asset.ip: asset for asset in store.ledger()}
    by_mac = {asset.mac.lower(): asset for asset in listed.values() if asset.mac}
    for ip, asset in seen.items():
        if asset.get("is_away") and asset.get("mac") in by_mac:
            listed[ip] = by_mac[str(asset["mac"])]
    addresses = sorted({*seen, *listed}, key=address_order)
    return [_compare(ip, seen.get(ip), listed.get(ip)) for ip in addresses]


def _with_port(asset: Mapping[str, Any], ports: Mapping[str, str]) -> dict[str, Any]:
    """An imported MAC table is newer than what switches told in passing."""
    port = ports.get(str(asset.get("mac", ""))) or str(asset.get("port", ""))
    return {**asset, "port": port}


def import_ports(store: Store, entries: Sequence[PortEntry]) -> dict[str, str]:
    """Keep where each MAC hangs; tables of the same switches are replaced. By MAC: the place."""
    told = store.note(SWITCH_PORTS)
    switches = {entry.switch for entry in entries}
    old = [PortEntry(*row) for row in told.get("entries", ()) if row[0] not in switches]
    rows = [*old, *entries][-MAX_ENTRIES:]
    ports = {mac: str(place) for mac, place in edge_ports(rows).items()}
    kept = [[row.switch, row.port, row.mac] for row in rows]
    store.save_note(SWITCH_PORTS, {"entries": kept, "ports": ports})
    return ports


def known_ports(store: Store) -> dict[str, EdgePort]:
    """By MAC: the port that the imported tables show, for isolation plans."""
    entries = store.note(SWITCH_PORTS).get("entries", ())
    return edge_ports(PortEntry(*row) for row in entries)


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
    if differs_in_port(str(seen.get("port", "")), listed.switch_port):
        differs.append("port")
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
