"""Ledgers as files: CSV as the detector reads and writes it, and the same as XLSX."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from api.faults import Unacceptable
from api.people import Language

T = TypeVar("T")
FileKind = Literal["csv", "xlsx"]
MEDIA_TYPE: dict[FileKind, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_MOST_UNPACKED = 64 << 20  # bytes; a small XLSX can unpack into gigabytes
_MOST_ROWS = 100_000
_MOST_COLUMNS = 100


@dataclass(frozen=True)
class Table(Generic[T]):
    """How one ledger is read (rows and all faults) and written (in a language)."""

    read: Callable[[bytes], tuple[Sequence[T], Sequence[str]]]
    write: Callable[[Sequence[T], Language], bytes]

    def parse(self, content: bytes) -> Sequence[T]:
        """Rows of a CSV or XLSX file; Unacceptable tells every fault at once."""
        rows, faults = self.read(_csv_of_xlsx(content) if _is_zip(content) else content)
        if faults:
            raise Unacceptable("the file has faults; nothing was changed", [str(f) for f in faults])
        return rows

    def render(self, rows: Sequence[T], kind: FileKind, language: Language) -> bytes:
        """The rows as a file; without rows, an empty form to fill in."""
        if kind not in MEDIA_TYPE:
            raise Unacceptable(f"kind: must be csv or xlsx, got {kind!r}")
        content = self.write(rows, language)
        return content if kind == "csv" else _xlsx_of_csv(content)


def _is_zip(content: bytes) -> bool:
    return content[:4] == b"PK\x03\x04"


def _csv_of_xlsx(content: bytes) -> bytes:
    """The first sheet of a workbook as CSV."""
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(member.file_size for member in packed.infolist()) > _MOST_UNPACKED:
                raise Unacceptable(f"the workbook unpacks to more than {_MOST_UNPACKED} bytes")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        written = io.StringIO()
        writer = csv.writer(written)
        for count, row in enumerate(book.worksheets[0].iter_rows(values_only=True)):
            if count > _MOST_ROWS or len(row) > _MOST_COLUMNS:
                raise Unacceptable(
                    f"the sheet is larger than {_MOST_ROWS} rows by {_MOST_COLUMNS} columns"
                )
            writer.writerow(["" if cell is None else _shown(cell) for cell in row])
        return written.getvalue().encode()
    except Unacceptable:
        raise
    except Exception as fault:  # openpyxl raises what it likes on a broken workbook
        raise Unacceptable(f"the XLSX workbook cannot be read: {fault}") from fault


def _shown(cell: object) -> str:
    """A cell as text; dates as ISO 8601, whole numbers without a decimal point."""
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat()).removesuffix("T00:00:00")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _xlsx_of_csv(content: bytes) -> bytes:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
        cells = [openpyxl.cell.WriteOnlyCell(sheet, value=value) for value in row]
        for cell in cells:
            cell.data_type = "s"  # a text that begins with "=" must never become a formula
        sheet.append(cells)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()
