"""Ledgers as people keep them: CSV or Excel, Japanese or English headings, full-width digits."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal
from unicodedata import normalize

from pydantic import ValidationError

from detector.words import Text

Language = Literal["ja", "en"]
Form = Literal["csv", "xlsx"]

MAX_BYTES: Final = 20 << 20
MAX_UNPACKED_BYTES: Final = 200 << 20
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 120
_HEADING_SEARCH_ROWS: Final = 15  # a title, a date and an author often stand above the headings


@dataclass(frozen=True)
class Column:
    """One column: its field, headings in both languages, other headings in use, and its reader."""

    field: str
    ja: str
    en: str
    aliases: tuple[str, ...] = ()
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    is_required: bool = False
    is_carried_down: bool = False  # merged cells leave the rows below them empty


@dataclass(frozen=True)
class Fault:
    """What could not be read, where, and what to do; `raw` keeps the row as it was."""

    row: int  # as the spreadsheet numbers it, from 1; 0 = the whole file
    column: str
    what: Text
    to_do: Text
    raw: str = ""

    def __str__(self) -> str:
        return f"{self.row}行目 {self.column}: {self.what.ja} {self.to_do.ja}"


@dataclass(frozen=True)
class Record:
    """One row that could be read: values by field, and what stood in columns nobody knows."""

    row: int
    values: dict[str, Any]
    others: dict[str, str]
    raw: str


def read_records(
    source: Path | bytes, columns: Sequence[Column]
) -> tuple[list[Record], list[Fault]]:
    """Read every row that is whole; each other row comes back as a fault."""
    try:
        rows = _read_rows(source)
    except (ValueError, OSError) as error:
        return [], [_file_fault(str(error))]
    at, heading = _find_headings(rows, columns)
    if heading is None:
        wanted = "、".join(c.ja for c in columns if c.is_required)
        return [], [_file_fault(f"見出し行がない / no heading row ({wanted})")]
    missing = [c for c in columns if c.is_required and c not in heading.values()]
    if missing:
        return [], [_missing_column(at + 1, column) for column in missing]
    records: list[Record] = []
    faults: list[Fault] = []
    above: dict[str, str] = {}
    for number, cells in enumerate(rows[at + 1 :], start=at + 2):
        if not any(cells):
            continue
        record, row_faults = _read_row(number, cells, rows[at], heading, above)
        faults += row_faults
        if record is not None:
            records.append(record)
    return records, faults


def write_records(
    values: Iterable[dict[str, Any]], columns: Sequence[Column], language: Language, form: Form
) -> bytes:
    """Write rows under headings in one language; CSV carries a BOM, so that Excel reads it."""
    table = [[c.ja if language == "ja" else c.en for c in columns]]
    table += [[guarded(c.write(row[c.field])) for c in columns] for row in values]
    if form == "xlsx":
        return _write_excel(table)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    return text.getvalue().encode("utf-8-sig")


def plain(text: str) -> str:
    """Fold full-width and half-width forms, and trim."""
    return normalize("NFKC", text).replace("\r\n", "\n").strip(" \t\n\r\u3000")


def refused(record: Record, error: ValidationError, columns: Sequence[Column]) -> Fault:
    """A row whose cells were read but do not make a whole."""
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    return Fault(
        row=record.row,
        column=next((c.ja for c in columns if c.field == field), field),
        what=Text(ja=f"値を受け付けられません: {first['msg']}", en=f"not accepted: {first['msg']}"),
        to_do=Text(ja="この欄を直してください。", en="Correct this cell."),
        raw=record.raw,
    )


def _read_row(
    number: int,
    cells: list[str],
    headings: list[str],
    heading: dict[int, Column],
    above: dict[str, str],
) -> tuple[Record | None, list[Fault]]:
    raw = _as_csv(cells)
    values: dict[str, Any] = {}
    others: dict[str, str] = {}
    faults: list[Fault] = []
    for place, cell in enumerate(cells):
        column = heading.get(place)
        if column is None:
            if cell and place < len(headings) and headings[place]:
                others[headings[place]] = cell
            continue
        if column.is_carried_down:
            cell = above[column.field] = cell or above.get(column.field, "")
        if not cell:
            continue
        try:
            values[column.field] = column.read(cell)
        except ValueError as error:
            faults.append(_cell_fault(number, column, cell, str(error), raw))
    for column in heading.values():
        if column.is_required and column.field not in values and not faults:
            faults.append(_empty_cell(number, column, raw))
    return (None, faults) if faults else (Record(number, values, others, raw), [])


def _find_headings(
    rows: list[list[str]], columns: Sequence[Column]
) -> tuple[int, dict[int, Column] | None]:
    """The row in which most headings are known, and which column stands where."""
    known = {_folded(h): c for c in columns for h in (c.ja, c.en, c.field, *c.aliases)}
    best: tuple[int, dict[int, Column]] = (0, {})
    for at, cells in enumerate(rows[:_HEADING_SEARCH_ROWS]):
        found: dict[int, Column] = {}
        for place, cell in enumerate(cells):
            column = known.get(_folded(cell)) or known.get(_folded(re.sub(r"\(.*?\)", "", cell)))
            if column is not None and column not in found.values():
                found[place] = column
        if len(found) > len(best[1]):
            best = (at, found)
    return best if len(best[1]) >= 2 else (0, None)


def _folded(heading: str) -> str:
    return re.sub(r"[\s()・/_\-.:※*#]", "", plain(heading).casefold())


def _read_rows(source: Path | bytes) -> list[list[str]]:
    content = source.read_bytes() if isinstance(source, Path) else source
    if len(content) > MAX_BYTES:
        raise ValueError(f"ファイルが大きすぎる / larger than {MAX_BYTES >> 20} MiB")
    if content.startswith(b"PK\x03\x04"):
        rows = _read_excel(content)
    else:
        rows = _read_csv(_decoded(content))
    if len(rows) > MAX_ROWS:
        raise ValueError(f"{MAX_ROWS} 行を超えている / more than {MAX_ROWS} rows")
    return [[_unguarded(plain(c)) for c in row[:MAX_COLUMNS]] for row in rows]


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("文字コードが UTF-8 でも Shift_JIS でもない / neither UTF-8 nor Shift_JIS")


def _read_csv(text: str) -> list[list[str]]:
    head = text[:4000]
    delimiter = max(",\t;", key=head.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False))
    except csv.Error as error:
        raise ValueError(f"CSV として読めない / not readable as CSV: {error}") from error


def _read_excel(content: bytes) -> list[list[str]]:
    """The first sheet that is not empty."""
    from openpyxl import load_workbook  # a heavy import, needed for Excel only

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(i.file_size for i in packed.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError("展開後の大きさが上限を超える / unpacks to too much")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for sheet in book.worksheets:
            rows = [
                [_cell_text(c) for c in row]
                for row in sheet.iter_rows(
                    max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS, values_only=True
                )
            ]
            if any(any(row) for row in rows):
                return rows
    except ValueError:
        raise
    # openpyxl raises KeyError, TypeError and more on workbooks that are not what they claim.
    except Exception as error:
        raise ValueError(f"Excel として読めない / not readable as Excel: {error}") from error
    return []


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


def _write_excel(table: list[list[str]]) -> bytes:
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


def guarded(text: str) -> str:
    """Keep spreadsheets from running a cell as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def _as_csv(cells: list[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _file_fault(why: str) -> Fault:
    return Fault(
        row=0,
        column="",
        what=Text(ja=f"ファイルを読めません: {why}", en=f"the file cannot be read: {why}"),
        to_do=Text(
            ja="CSV (UTF-8 か Shift_JIS) または .xlsx で保存し直してください。",
            en="Save it again as CSV (UTF-8 or Shift_JIS) or .xlsx.",
        ),
    )


def _missing_column(row: int, column: Column) -> Fault:
    return Fault(
        row=row,
        column=column.ja,
        what=Text(ja=f"列「{column.ja}」がありません。", en=f'there is no column "{column.en}".'),
        to_do=Text(
            ja=f"見出し「{column.ja}」(または {column.en}) の列を加えてください。",
            en=f'Add a column headed "{column.en}" (or "{column.ja}").',
        ),
    )


def _empty_cell(row: int, column: Column, raw: str) -> Fault:
    return Fault(
        row=row,
        column=column.ja,
        what=Text(ja="必須の欄が空です。", en="a required cell is empty."),
        to_do=Text(ja=f"「{column.ja}」を記入してください。", en=f'Fill in "{column.en}".'),
        raw=raw,
    )


def _cell_fault(row: int, column: Column, cell: str, expected: str, raw: str) -> Fault:
    ja, _, en = expected.partition(" / ")
    return Fault(
        row=row,
        column=column.ja,
        what=Text(ja=f"「{cell}」を読めません。", en=f'"{cell}" cannot be read.'),
        to_do=Text(ja=ja, en=en or ja),
        raw=raw,
    )
