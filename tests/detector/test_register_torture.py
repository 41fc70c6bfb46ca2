"""A register in whatever shape people keep it: the same lines come out, faults are named."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from detector.cells import read_date, read_outside, read_targets
from detector.hospital import RegisteredLine
from detector.register import COLUMNS, read_register
from detector.sheet import plain

LAW = settings(max_examples=150, deadline=None)
FIELDS = (
    "id", "vendor", "system", "line_type", "contract_end", "device_ip", "device_mac", "outside",
    "allowed_targets", "windows", "contact", "note",
)  # fmt: skip
WINDOWS = {"平日 9:00-17:30": "Mon-Fri 09:00-17:30", "土曜 22時～5時": "Sat 22:00-05:00"}
#: Half-width characters and their full-width twins, as input methods leave them.
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) not in "\"'"}
KANA = str.maketrans({"シ": "ｼ", "ス": "ｽ", "テ": "ﾃ", "ム": "ﾑ", "ー": "ｰ"})


@dataclass(frozen=True)
class Row:
    """One line as it is meant, and how its cells are written; `fault` = a cell made unreadable."""

    line: RegisteredLine
    cells: dict[str, Any]
    fault: str = ""


@dataclass
class Sheet:
    """The written table; `expected` and `faulty` are what a reader has to find."""

    table: list[list[Any]]
    expected: list[RegisteredLine] = field(default_factory=list)
    faulty: set[int] = field(default_factory=set)


def era(day: date, short: bool) -> str:
    year, name = (day.year - 2018, "R" if short else "令和")
    if short:
        return f"{name}{year}.{day.month}.{day.day}"
    told = "元" if year == 1 else str(year)
    return f"{name}{told}年{day.month}月{day.day}日"


@st.composite
def written_dates(draw: st.DrawFn) -> tuple[date, str]:
    day = draw(st.dates(date(2019, 5, 1), date(2035, 12, 31)))
    forms = (
        day.isoformat(), f"{day.year}/{day.month}/{day.day}", f"{day:%Y.%m.%d}", f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日", era(day, short=False), era(day, short=True),
        str((day - date(1899, 12, 30)).days), f"{day.isoformat()} 00:00:00",
    )  # fmt: skip
    return day, draw(st.sampled_from(forms))


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[str, ...], str]]:
    def joined(parts: list[str], by: str) -> tuple[tuple[str, ...], str]:
        return tuple(parts), by.join(parts)

    by = st.sampled_from([";", "; ", "、", ",", "\n", "\r\n", " ", "；", "，"])
    return st.builds(joined, st.lists(values, min_size=1, max_size=12, unique=True), by)


ADDRESS = st.builds("203.0.113.{}".format, st.integers(1, 254))
TARGET = st.builds("10.1.{}.{}:{}".format, *[st.integers(1, 250)] * 2, st.integers(1, 65535))
NAMES = ["Ａ社", "システム保守(株)", "B, C & Co.", '給食 "D" 社', "E社\nサービス部", "高田髙橋㈱"]


@st.composite
def rows(draw: st.DrawFn, number: int) -> Row:
    end, end_text = draw(written_dates())
    outside, outside_text = draw(lists(ADDRESS))
    targets, targets_text = draw(lists(TARGET))
    window = draw(st.sampled_from(sorted(WINDOWS)))
    mac = draw(st.integers(0, (1 << 48) - 1).map(lambda n: f"{n:012x}"))
    pairs = [mac[i : i + 2] for i in range(0, 12, 2)]
    vendor = draw(st.sampled_from(NAMES))
    cells: dict[str, Any] = {
        "id": f"L-{number}",
        "vendor": vendor,
        "system": draw(st.sampled_from(["CTシステム", "電子カルテ", "給食"])),
        "line_type": draw(st.sampled_from(["専用線", "SSL-VPN", "拠点間VPN"])),
        "contract_end": end_text,
        "device_ip": f"10.9.{number // 250}.{number % 250}",
        "device_mac": draw(st.sampled_from([":".join(pairs), "-".join(pairs).upper(), mac])),
        "outside": outside_text,
        "allowed_targets": targets_text,
        "windows": window,
        "contact": "03-0000-0000",
        "note": draw(st.sampled_from(["", "夜間は電話\r\n連絡", "=1+1", "a;b;c;d;e;f;g;h", "―"])),
    }
    faults = {
        "contract_end": "24/4/1", "device_ip": "10.9.0.999", "device_mac": "00:11:22", "id": "",
        "line_type": "伝書鳩", "allowed_targets": "サーバ室一式", "windows": "夕方ごろ",
    }  # fmt: skip
    fault = draw(st.sampled_from(["", "", "", "", *faults]))
    if fault:
        cells[fault] = faults[fault]
    if draw(st.booleans()):  # typed with a Japanese input method
        cells = {k: widened(v, k) for k, v in cells.items()}
    line = RegisteredLine(
        id=f"L-{number}", vendor=plain(vendor), system=plain(cells["system"]),
        line_type=plain(cells["line_type"]) if fault != "line_type" else "専用線",  # type: ignore[arg-type]
        contract_end=end, device_ip=f"10.9.{number // 250}.{number % 250}",
        device_mac=":".join(pairs), outside=outside, allowed_targets=targets,
        windows=(WINDOWS[window],), contact="03-0000-0000", note=plain(cells["note"]),
    )  # fmt: skip
    return Row(line, cells, fault)


def widened(text: str, name: str) -> str:
    return text if name == "note" else text.translate(WIDE).translate(KANA)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    """Columns in any order under any of their headings, titles above, blanks and dittos between."""
    order = draw(st.permutations(FIELDS))
    columns = {c.field: c for c in COLUMNS}
    headings = [
        draw(st.sampled_from([columns[f].ja, columns[f].en, *columns[f].aliases])) for f in order
    ]
    above: list[list[Any]] = draw(
        st.sampled_from(
            [[], [["外部接続台帳", "令和8年度"]], [["外部接続台帳"], [], ["作成: 総務課"]]]
        )
    )
    sheet = Sheet([*above, [*headings, "更新者"]])
    previous: Row | None = None
    for number in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 5)) == 0:
            sheet.table.append([])
        row = draw(rows(number + 1))
        cells = dict(row.cells)
        if previous is not None and not row.fault and not previous.fault:
            for name in ("vendor", "system", "line_type"):
                if getattr(row.line, name) == getattr(previous.line, name) and draw(st.booleans()):
                    cells[name] = draw(st.sampled_from(["同上", "〃"]))
        sheet.table.append([*(cells[name] for name in order), ""])
        if row.fault:
            sheet.faulty.add(len(sheet.table))
        else:
            sheet.expected.append(row.line)
        previous = row
    return sheet


def as_csv(sheet: Sheet, delimiter: str, encoding: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(sheet.table)
    return text.getvalue().encode(encoding)


def as_excel(sheet: Sheet) -> bytes:
    book = Workbook()
    for row in sheet.table:
        book.active.append([None if cell == "" else cell for cell in row])
    for cells in book.active.iter_rows():
        for cell in cells:
            cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def held(content: bytes, sheet: Sheet) -> None:
    lines, faults = read_register(content)
    assert {f.row for f in faults} == sheet.faulty
    assert all(f.column and f.to_do.ja and f.raw for f in faults)
    assert lines == sheet.expected


@given(
    sheets(), st.sampled_from(",\t;"), st.sampled_from(["cp932", "utf-8", "utf-8-sig", "utf-16"])
)
@LAW
def test_any_csv_gives_its_lines_and_names_its_faulty_rows(
    sheet: Sheet, delimiter: str, encoding: str
) -> None:
    held(as_csv(sheet, delimiter, encoding), sheet)


@given(sheets())
@LAW
def test_so_does_any_workbook(sheet: Sheet) -> None:
    held(as_excel(sheet), sheet)


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)), st.floats(0, 0.999))
def test_excel_day_numbers_with_a_time_of_day_are_that_day(day: date, hour: float) -> None:
    number = (day - date(1899, 12, 30)).days
    assert read_date(f"{number + hour:.6f}") in (day, day + timedelta(days=1))
    assert read_date(str(number)) == day


HEAD = "管理番号,ベンダ,回線種別,契約期限,接続先,備考"


@pytest.mark.parametrize("opened", ['"夜間', '"夜間",', '夜間,"'])
def test_a_quotation_mark_left_open_swallows_no_rows(opened: str) -> None:
    text = f"{HEAD}\r\nL-1,A社,専用線,,192.0.2.1,{opened}\r\n"
    text += "".join(f'L-{n},"B社",専用線,,192.0.2.{n},\r\n' for n in range(2, 9))
    lines, faults = read_register(text.encode())
    assert len(lines) == 8 or (lines == [] and "2 行目" in str(faults[0]))


def test_a_second_sheet_of_lines_is_named() -> None:
    book = Workbook()
    for title in ("令和7年度", "令和8年度"):
        sheet = book.create_sheet(title)
        sheet.append(["管理番号", "ベンダ", "回線種別"])
        sheet.append([f"L-{title}", "A社", "専用線"])
    packed = io.BytesIO()
    book.save(packed)
    lines, faults = read_register(packed.getvalue())
    assert [line.id for line in lines] == ["L-令和7年度"]
    assert [fault.column for fault in faults] == ["令和8年度"]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("令和９年３月３１日まで", date(2027, 3, 31)), ("2024/4/1～2027/3/31", date(2027, 3, 31)),
        ("2027/3/31(水)", date(2027, 3, 31)), ("㋿9年3月31日", date(2027, 3, 31)),
        ("2027/3/31\u200b", date(2027, 3, 31)),
    ],
)  # fmt: skip
def test_dates_with_what_people_add(text: str, day: date) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize("text", ["2027-3-31～", "～2027-3-31", "24/4/1～2027/3/31"])
def test_open_or_doubtful_periods_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="日付は"):
        read_date(text)


def test_ranges_become_the_prefixes_they_cover() -> None:
    assert read_outside("192.0.2.8～192.0.2.15、192.0.2.1-2") == (
        "192.0.2.8/29", "192.0.2.1", "192.0.2.2",
    )  # fmt: skip
    assert read_targets("10.1.0.4 - 10.1.0.5") == ("10.1.0.4/31",)
    for wrong in ("192.0.2.999", "192.0.2.9-1", "192.0.2.1-999"):
        with pytest.raises(ValueError, match="接続先は"):
            read_outside(wrong)
