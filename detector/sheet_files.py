"""Spreadsheet files as tables of text: CSV in the encodings Excel writes, and .xlsx workbooks."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

MAX_BYTES: Final = 20 << 20
MAX_UNPACKED_BYTES: Final = 200 << 20
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 120
MAX_SHEETS: Final = 20


def read_tables(source: Path | bytes) -> dict[str, list[list[str]]]:
    """Rows of cells by sheet; a CSV is one sheet without a name.

    Raises ValueError, in ja / en, for what is no table, too large, or not whole.
    """
    content = source.read_bytes() if isinstance(source, Path) else source
    if len(content) > MAX_BYTES:
        raise ValueError(f"ファイルが大きすぎる / larger than {MAX_BYTES >> 20} MiB")
    is_excel = content.startswith(b"PK\x03\x04")
    tables = _read_excel(content) if is_excel else {"": _read_csv(_decoded(content))}
    for rows in tables.values():
        if len(rows) > MAX_ROWS:
            raise ValueError(f"{MAX_ROWS} 行を超えている / more than {MAX_ROWS} rows")
    return {name: [row[:MAX_COLUMNS] for row in rows] for name, rows in tables.items()}


def _decoded(content: bytes) -> str:
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    reached = 0
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as fault:
            reached = max(reached, fault.start)
    row = content.count(b"\n", 0, reached) + 1
    raise ValueError(
        f"{row} 行目に UTF-8 でも Shift_JIS でもない文字がある"
        f" / row {row} has a letter that is neither UTF-8 nor Shift_JIS"
    )


def _read_csv(text: str) -> list[list[str]]:
    try:
        rows = {
            delimiter: list(csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=delimiter))
            for delimiter in ",\t;"
        }
    except csv.Error as error:
        raise ValueError(f"CSV として読めない / not readable as CSV: {error}") from error
    delimiter = max(rows, key=lambda d: _rows_alike(rows[d]))
    # Strictly: a quotation mark that is never closed would swallow all rows below it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    whole: list[list[str]] = []
    try:
        whole.extend(reader)
    except csv.Error as error:
        raise ValueError(
            f'{len(whole) + 1} 行目の引用符 (") が対になっていないか、セルが長すぎる'
            f" / unpaired quotation mark, or a cell too long, in row {len(whole) + 1}"
        ) from error
    return whole


def _rows_alike(rows: list[list[str]]) -> int:
    """How many rows share one number of cells: lists inside a cell (`a;b;c`) differ in length."""
    widths = Counter(len(row) for row in rows if len(row) > 1)
    return max(widths.values(), default=0)


def _read_excel(content: bytes) -> dict[str, list[list[str]]]:
    """Every sheet that is not empty, merged cells filled."""
    from openpyxl import load_workbook  # a heavy import, needed for Excel only

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(i.file_size for i in packed.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError("展開後の大きさが上限を超える / unpacks to too much")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            tables: dict[str, list[list[str]]] = {}
            for sheet in book.worksheets[:MAX_SHEETS]:
                rows = [
                    [_cell_text(c) for c in row]
                    for row in sheet.iter_rows(
                        max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS, values_only=True
                    )
                ]
                _fill_merged(rows, packed.read(sheet._worksheet_path))
                if any(any(row) for row in rows):
                    tables[sheet.title] = rows
            return tables
    except ValueError:
        raise
    # openpyxl raises KeyError, TypeError and more on workbooks that are not what they claim.
    except Exception as error:
        raise ValueError(f"Excel として読めない / not readable as Excel: {error}") from error


def _fill_merged(rows: list[list[str]], sheet: bytes) -> None:
    """Give merged cells below the first their value; openpyxl reads no merges while streaming."""
    from openpyxl.utils import range_boundaries

    merged = re.findall(rb'<mergeCell ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"', sheet)
    for area in merged[:MAX_ROWS]:
        left, top, right, bottom = range_boundaries(area.decode("ascii"))
        if left != right or top > len(rows):
            continue  # merged sideways: a title
        value = rows[top - 1][left - 1] if left <= len(rows[top - 1]) else ""
        for row in rows[top : min(bottom, len(rows))]:
            row.extend([""] * (left - len(row)))
            row[left - 1] = row[left - 1] or value


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.time().min else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def write_excel(table: list[list[str]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    for row in table:
        sheet.append(row)
    for row in sheet.iter_rows():
        for cell in row:
            cell.data_type = "s"  # text, never a formula
    sheet.freeze_panes = "A2"
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()
