"""Ledgers as people keep them: CSV or Excel, Japanese or English headings, full-width digits.

One file, because every part serves one act: making a person's sheet into rows, or into a fault.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from unicodedata import normalize

from pydantic import ValidationError

from detector.words import Text

Language = Literal["ja", "en"]
Form = Literal["csv", "xlsx"]
T = TypeVar("T")

MAX_BYTES: Final = 20 << 20
MAX_UNPACKED_BYTES: Final = 200 << 20
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 120
MAX_SHEETS: Final = 20
#: "The same as above", as people write it.
_DITTO: Final = frozenset({"同上", "〃", "″", '"', "々", "上に同じ", "上記と同じ", "同じ", "ditto"})
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
    is_list: bool = False  # several values, which people also write one below the other


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
        tables = _read_tables(source)
    except (ValueError, OSError) as error:
        return [], [_file_fault(str(error))]
    # A workbook often opens with a cover or a legend: the sheet with most known headings counts.
    rows = max(tables, key=lambda table: len(_find_headings(table, columns)[1] or ()), default=[])
    at, heading = _find_headings(rows, columns)
    if heading is None:
        wanted = "、".join(c.ja for c in columns if c.is_required)
        return [], [_file_fault(f"見出し行がない / no heading row ({wanted})")]
    missing = [c for c in columns if c.is_required and c not in heading.values()]
    if missing:
        return [], [_missing_column(at + 1, column) for column in missing]
    records: list[Record] = []
    faults: list[Fault] = []
    for number, cells in _whole_rows(rows, at, heading):
        record, row_faults = _read_row(number, cells, rows[at], heading)
        faults += row_faults
        if record is not None:
            records.append(record)
    return records, faults


def read_whole_rows(
    source: Path | bytes, columns: Sequence[Column], make: Callable[..., T], key: str
) -> tuple[list[T], list[Fault]]:
    """Make something of every row, told apart by one field; a repeated key is a fault.

    Columns nobody knows are kept in the row's `note`, so that nothing written is lost.
    """
    records, faults = read_records(source, columns)
    made: dict[str, T] = {}
    for record in records:
        values = dict(record.values)
        extra = [f"{heading}: {cell}" for heading, cell in record.others.items()]
        values["note"] = " / ".join(filter(None, [values.get("note", ""), *extra]))
        if values[key] in made:
            faults.append(_repeated(record, next(c for c in columns if c.field == key)))
            continue
        try:
            made[values[key]] = make(**values)
        except ValidationError as error:
            faults.append(refused(record, error, columns))
    return list(made.values()), sorted(faults, key=lambda f: f.row)


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


def _whole_rows(
    rows: list[list[str]], at: int, heading: dict[int, Column]
) -> list[tuple[int, list[str]]]:
    """Rows below the headings as a person reads them: dittos, merged cells, lists downwards."""
    whole: list[tuple[int, list[str]]] = []
    above: list[str] = []
    for number, told in enumerate(rows[at + 1 :], start=at + 2):
        if not any(told):
            continue
        cells = told + [""] * (max(heading) + 1 - len(told))
        cells = [
            above[place] if cell in _DITTO and place < len(above) else cell
            for place, cell in enumerate(cells)
        ]
        if whole and _continues(cells, heading):
            last = whole[-1][1]
            for place, cell in enumerate(cells):
                if cell:
                    last[place] = f"{last[place]}; {cell}" if last[place] else cell
            continue
        is_same_group = True
        for place in sorted(heading):
            if heading[place].is_carried_down and above:
                # A new vendor starts afresh: what stood beside the one above is not its own.
                if not cells[place] and is_same_group:
                    cells[place] = above[place]
                is_same_group = is_same_group and cells[place] == above[place]
        whole.append((number, cells))
        above = list(cells)
    return whole


def _continues(cells: list[str], heading: dict[int, Column]) -> bool:
    """True for a row that only adds values to lists of the row above it."""
    filled = [place for place, cell in enumerate(cells) if cell]
    return all(place in heading and heading[place].is_list for place in filled)


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


def _read_tables(source: Path | bytes) -> list[list[list[str]]]:
    content = source.read_bytes() if isinstance(source, Path) else source
    if len(content) > MAX_BYTES:
        raise ValueError(f"ファイルが大きすぎる / larger than {MAX_BYTES >> 20} MiB")
    is_excel = content.startswith(b"PK\x03\x04")
    tables = _read_excel(content) if is_excel else [_read_csv(_decoded(content))]
    for rows in tables:
        if len(rows) > MAX_ROWS:
            raise ValueError(f"{MAX_ROWS} 行を超えている / more than {MAX_ROWS} rows")
    return [[[_unguarded(plain(c)) for c in row[:MAX_COLUMNS]] for row in t] for t in tables]


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
    try:
        rows = {
            delimiter: list(csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=delimiter))
            for delimiter in ",\t;"
        }
        delimiter = max(rows, key=lambda d: _rows_alike(rows[d]))
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False))
    except csv.Error as error:
        raise ValueError(f"CSV として読めない / not readable as CSV: {error}") from error


def _rows_alike(rows: list[list[str]]) -> int:
    """How many rows share one number of cells: lists inside a cell (`a;b;c`) differ in length."""
    widths = Counter(len(row) for row in rows if len(row) > 1)
    return max(widths.values(), default=0)


def _read_excel(content: bytes) -> list[list[list[str]]]:
    """Every sheet that is not empty, merged cells filled."""
    from openpyxl import load_workbook  # a heavy import, needed for Excel only

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(i.file_size for i in packed.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError("展開後の大きさが上限を超える / unpacks to too much")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            tables = []
            for sheet in book.worksheets[:MAX_SHEETS]:
                rows = [
                    [_cell_text(c) for c in row]
                    for row in sheet.iter_rows(
                        max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS, values_only=True
                    )
                ]
                _fill_merged(rows, packed.read(sheet._worksheet_path))
                if any(any(row) for row in rows):
                    tables.append(rows)
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


def _repeated(record: Record, column: Column) -> Fault:
    value = record.values[column.field]
    return Fault(
        row=record.row,
        column=column.ja,
        what=Text(
            ja=f"「{value}」は既に別の行にあります。", en=f'"{value}" is already in another row.'
        ),
        to_do=Text(
            ja="どちらが正しいか確かめ、片方を直すか消してください。",
            en="Find out which is right, and correct or delete the other.",
        ),
        raw=record.raw,
    )


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
