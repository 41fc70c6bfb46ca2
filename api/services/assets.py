"""Use cases of the asset ledger: what was seen beside what is listed, in and out."""

from __future__ import annotations

from collections import Counter

from api.asset_rows import VERDICTS, AssetRow, address_order, compare_assets
from api.faults import NotFound, Unacceptable
from api.paging import Page, check_limit, read_cursor, write_cursor
from api.people import Language, Person
from api.services.gate import Gate
from api.services.ledger_files import check_form, read_whole
from detector.ledger import read_ledger, write_ledger
from detector.store import Store


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
        after = address_order(str(read_cursor(cursor, str)[0])) if cursor else None
        check_limit(limit)
        found = [
            row
            for row in self._rows()
            if (not verdict or row.verdict == verdict)
            and (not text or text.casefold() in _words(row))
            and (after is None or address_order(row.ip) > after)
        ]
        items = tuple(found[:limit])
        return Page(items, write_cursor(items[-1].ip) if len(found) > limit else "")

    def counts(self, person: Person | None) -> dict[str, int]:
        """How many assets there are by verdict. Needs assets.read."""
        self._gate.look(person, "assets.read", "assets.count")
        counts = Counter(row.verdict for row in self._rows())
        return {verdict: counts[verdict] for verdict in VERDICTS}

    def get(self, person: Person | None, ip: str) -> AssetRow:
        """One asset by its address or its lasting id ("mac-…"). Needs assets.read."""
        self._gate.look(person, "assets.read", "asset.read", f"asset/{ip}")
        row = next((r for r in self._rows() if ip in (r.ip, (r.seen or {}).get("id"))), None)
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


def _words(row: AssetRow) -> str:
    seen, listed = row.seen or {}, row.listed
    words = [row.ip, *(str(seen.get(k, "")) for k in ("mac", "name", "role", "department"))]
    words += [str(name) for name in seen.get("names", ())]
    if listed is not None:
        words += [listed.mac, listed.name, listed.role, listed.department, listed.vendor]
        words += [listed.place]
    return " ".join(words).casefold()
