"""Use cases of the asset ledger: what was seen beside what is listed, in and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal

from api.faults import NotFound, Unacceptable
from api.paging import Page, check_limit, read_cursor, write_cursor
from api.people import Language, Person
from api.services.gate import Gate
from api.services.ledger_files import check_form, read_whole
from detector.hospital import Asset
from detector.ledger import read_ledger, write_ledger
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


class AssetService:
    """Compare, import and export the asset ledger."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    def find(
        self,
        person: Person | None,
        verdict: str = "",
        text: str = "",
        cursor: str = "",
        limit: int = 100,
    ) -> Page[AssetRow]:
        """Assets by address; `text` looks into address, MAC, names, role, department, vendor.

        Needs assets.read.
        """
        self._gate.look(person, "assets.read", "assets.list")
        if verdict and verdict not in VERDICTS:
            raise Unacceptable(f"verdict: must be one of {', '.join(VERDICTS)}, got {verdict!r}")
        after = _order(str(read_cursor(cursor, str)[0])) if cursor else None
        check_limit(limit)
        found = [
            row
            for row in self._rows()
            if (not verdict or row.verdict == verdict)
            and (not text or text.casefold() in _words(row))
            and (after is None or _order(row.ip) > after)
        ]
        items = tuple(found[:limit])
        return Page(items, write_cursor(items[-1].ip) if len(found) > limit else "")

    def counts(self, person: Person | None) -> dict[str, int]:
        """How many assets there are by verdict. Needs assets.read."""
        self._gate.look(person, "assets.read", "assets.count")
        counts = Counter(row.verdict for row in self._rows())
        return {verdict: counts[verdict] for verdict in VERDICTS}

    def get(self, person: Person | None, ip: str) -> AssetRow:
        """One asset. Needs assets.read."""
        self._gate.look(person, "assets.read", "asset.read", f"asset/{ip}")
        row = next((row for row in self._rows() if row.ip == ip), None)
        if row is None:
            raise NotFound(f"no asset {ip[:60]!r} was seen or is listed")
        return row

    def import_ledger(self, person: Person | None, content: bytes, file_name: str = "") -> int:
        """Replace the ledger by a CSV or XLSX file; with any fault nothing changes.

        Needs assets.write. Returns how many assets are listed now.
        """
        with self._gate.act(
            person, "assets.write", "assets.import", "ledger", file=file_name, bytes=len(content)
        ) as importer:
            assets = read_whole(read_ledger, content, importer.language)
            self._store.replace_ledger(assets)
            return len(assets)

    def export_ledger(
        self, person: Person | None, form: str = "csv", language: Language = "ja"
    ) -> bytes:
        """The ledger as a file. Needs assets.read."""
        with self._gate.act(person, "assets.read", "assets.export", "ledger", form=form):
            return write_ledger(self._store.ledger(), language, check_form(form))

    def template(
        self, person: Person | None, form: str = "csv", language: Language = "ja"
    ) -> bytes:
        """An empty ledger to fill in. Needs assets.read."""
        self._gate.look(person, "assets.read", "assets.template")
        return write_ledger([], language, check_form(form))

    def _rows(self) -> list[AssetRow]:
        return compare_assets(self._store)


def compare_assets(store: Store) -> list[AssetRow]:
    """Every address that was seen or is listed, with the difference, by address."""
    seen = {str(asset["ip"]): asset for asset in store.seen_assets()}
    listed = {asset.ip: asset for asset in store.ledger()}
    addresses = sorted({*seen, *listed}, key=_order)
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


def _order(ip: str) -> tuple[int, int, str]:
    try:
        address = ip_address(ip)
    except ValueError:
        return 9, 0, ip
    return address.version, int(address), ip


def _words(row: AssetRow) -> str:
    seen, listed = row.seen or {}, row.listed
    words = [row.ip, *(str(seen.get(k, "")) for k in ("mac", "name", "role", "department"))]
    words += [str(name) for name in seen.get("names", ())]
    if listed is not None:
        words += [listed.mac, listed.name, listed.role, listed.department, listed.vendor]
        words += [listed.place]
    return " ".join(words).casefold()
