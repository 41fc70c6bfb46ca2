"""Ledgers as people keep them: a person's sheet becomes rows, or faults that name row and cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from unicodedata import normalize

from pydantic import ValidationError

from detector.sheet_files import read_tables, write_excel
from detector.words import Text

Language = Literal["ja", "en"]
Form = Literal["csv", "xlsx"]
T = TypeVar("T")

#: "The same as above", as people write it.
_DITTO: Final = frozenset({"同上", "〃", "″", '"', "々", "上に同じ", "上記と同じ", "同じ", "ditto"})
#: Copied along from web pages and chats: what has no width, turns the direction of writing, or
#: controls a terminal.
_UNSEEN: Final = dict.fromkeys(
    (
        *(0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *(c for c in range(0xA0) if not chr(c).isprintable() and chr(c) not in "\t\n\r"),
    )
)
#: Dashes and long vowels that stand for a hyphen between two digits: 192.0.2.1−9, 令和9ー3ー31.
_DASH: Final = re.compile(r"(?<=\d)[‐‑‒–—―−ー](?=\d)")
_FORMULA: Final = ("=", "+", "-", "@")
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
        where = " ".join(filter(None, [f"{self.row}行目" if self.row else "", self.column]))
        return ": ".join(filter(None, [where, f"{self.what.ja} {self.to_do.ja}"]))


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
        tables = {
            name: [[_unguarded(plain(cell)) for cell in row] for row in rows]
            for name, rows in read_tables(source).items()
        }
    except OSError as error:
        return [], [_file_fault(f"{error.filename}: {error.strerror}", is_there=False)]
    except ValueError as error:
        return [], [_file_fault(str(error))]
    # A workbook often opens with a cover or a legend: the sheet with most known headings counts.
    headings = {name: _find_headings(rows, columns)[1] or {} for name, rows in tables.items()}
    chosen = max(headings, key=lambda name: len(headings[name]), default="")
    rows = tables.get(chosen, [])
    at, heading = _find_headings(rows, columns)
    if heading is None:
        wanted = "、".join(c.ja for c in columns if c.is_required)
        return [], [_file_fault(f"見出し行（{wanted}）がない / no heading row ({wanted})")]
    missing = [c for c in columns if c.is_required and c not in heading.values()]
    if missing:
        return [], [_missing_column(at + 1, column) for column in missing]
    records: list[Record] = []
    faults = [
        _second_sheet(name, chosen)
        for name, found in headings.items()
        if name != chosen and all(c in found.values() for c in columns if c.is_required)
    ]
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
        return write_excel(table)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    return text.getvalue().encode("utf-8-sig")


def plain(text: str) -> str:
    """Fold full-width and half-width forms, drop what cannot be seen, and trim."""
    folded = _DASH.sub("-", normalize("NFKC", text).translate(_UNSEEN))
    return folded.replace("\r\n", "\n").strip(" \t\n\r\u3000")


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
            if cell:  # right of the headings too
                others[_other_heading(headings, place)] = cell
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


def _other_heading(headings: list[str], place: int) -> str:
    told = headings[place] if place < len(headings) else ""
    return told or f"{place + 1}列目"


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


def guarded(text: str) -> str:
    """Keep spreadsheets from running a cell as a formula, blanks and full-width forms before it."""
    return f"'{text}" if plain(text)[:1] in _FORMULA else text


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and plain(text[1:])[:1] in _FORMULA else text


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


def _file_fault(why: str, *, is_there: bool = True) -> Fault:
    """`why` may say it in both languages, parted by " / "."""
    ja, _, en = why.partition(" / ")
    correct = Text("パスを確かめてください。", "Correct the path.")
    save = Text(
        ja="CSV (UTF-8 か Shift_JIS) または .xlsx で保存し直してください。",
        en="Save it again as CSV (UTF-8 or Shift_JIS) or .xlsx.",
    )
    return Fault(
        row=0,
        column="",
        what=Text(ja=f"ファイルを読めません: {ja}。", en=f"the file cannot be read: {en or ja}."),
        to_do=save if is_there else correct,
    )


def _second_sheet(name: str, chosen: str) -> Fault:
    return Fault(
        row=0,
        column=name,
        what=Text(
            ja=f"シート「{name}」も台帳の見出しを持ち、読んだのは「{chosen}」だけです。",
            en=f'sheet "{name}" has a register\'s headings too; only "{chosen}" was read.',
        ),
        to_do=Text(
            ja="行を 1 枚のシートにまとめるか、古いシートを消してください。",
            en="Bring the rows together in one sheet, or delete the old one.",
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
