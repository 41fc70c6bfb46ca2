"""The outside-connection register comes in as people keep it and goes out as it came."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from detector.cells import (
    read_date,
    read_mac,
    read_outside,
    read_protocols,
    read_targets,
    read_windows,
)
from detector.hospital import RegisteredLine
from detector.ledger import read_ledger
from detector.lines.maintenance_window import read_window, windows_text
from detector.register import read_register, write_register
from detector.sheet import guarded

JAPANESE = """外部接続台帳,,,,,,,,
,,,,,令和7年4月1日現在,,,
管理番号,接続事業者,対象システム,回線種別,契約期限,機器IP,接続先(対向),プロトコル,利用時間帯
E-01,Ａ社,CT保守,拠点間ＶＰＮ,令和9年3月31日,１０．１．１．１,203.0.113.0/24,IPsec,平日9:00～18:00
E-02,,MR保守,ＬＴＥ,2027/3/31,192.168.10.2,vpn.example.co.jp,OpenVPN,常時
E-03,給食B社,給食,SSL-VPN,R8.12,192.168.10.3,198.51.100.7、198.51.100.8,SSL-VPN,
"""

LINE = RegisteredLine(
    id="=1+1",
    vendor='カンマ, と "引用符"\n改行',
    line_type="SSL-VPN",
    system="電子カルテ",
    contract_end=date(2027, 3, 31),
    device_ip="192.168.10.1",
    device_mac="00:11:22:aa:bb:cc",
    device_port="SW1 Gi1/0/5",
    outside=("203.0.113.0/24", "vpn.example.co.jp"),
    protocols=("ikev2", "esp"),
    landing=("10.1.0.5",),
    allowed_targets=("10.1.0.0/24", "10.1.2.3:3389"),
    windows=("Mon-Fri 09:00-18:00", "Sat,Sun 22:00-05:00"),
    initiator="vendor",
    mfa=True,
    approver="情報管理室長",
    contact="03-0000-0000",
    last_review=date(2026, 4, 1),
    note="夜間は電話連絡",
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_reads_a_japanese_register_in_every_encoding(encoding: str) -> None:
    text = JAPANESE.replace("～", "~") if encoding == "cp932" else JAPANESE
    lines, faults = read_register(text.encode(encoding))
    assert faults == []
    assert [line.vendor for line in lines] == ["A社", "A社", "給食B社"]
    assert [line.system for line in lines] == ["CT保守", "MR保守", "給食"]
    first, second, third = lines
    assert first.contract_end == date(2027, 3, 31)
    assert first.device_ip == "10.1.1.1"
    assert first.protocols == ("ikev1", "ikev2", "esp", "nat_t")
    assert first.windows == ("Mon-Fri 09:00-18:00",)
    assert (second.line_type, second.windows) == ("LTE/5G", ())
    assert third.contract_end == date(2026, 12, 31)
    assert third.outside == ("198.51.100.7", "198.51.100.8")


def test_carries_nothing_down_but_vendor_and_system() -> None:
    lines, _ = read_register(JAPANESE.encode())
    assert lines[2].windows == ()


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_goes_out_as_it_came(language: str, form: str) -> None:
    written = write_register([LINE], language, form)  # type: ignore[arg-type]
    lines, faults = read_register(written)
    assert faults == []
    assert lines == [LINE]


def test_a_cell_never_becomes_a_formula() -> None:
    assert b"\n=1+1" not in write_register([LINE])
    assert "'=1+1" in write_register([LINE]).decode("utf-8-sig")
    for hostile in ("=1", "＝1", "\t=1", "\r@SUM(1)", "\u200b+1", " -1"):  # as Excel may read them
        assert guarded(hostile) == f"'{hostile}"


def test_what_cannot_be_seen_does_not_come_in() -> None:
    told = "ID,Vendor,Line type,Note\n1,A\x1b[2J\x00社,専用線,\u202e逆\n"
    [line] = read_register(told.encode())[0]
    assert (line.vendor, line.note) == ("A[2J社", "逆")


def test_cells_right_of_the_headings_are_kept() -> None:
    [line] = read_register("ID,Vendor,Line type\n1,A,専用線,更新予定,,3F\n".encode())[0]
    assert line.note == "4列目: 更新予定 / 6列目: 3F"


def test_a_file_that_cannot_be_read_says_where_and_in_one_language(tmp_path: Path) -> None:
    broken = "ID,Vendor,Line type\n1,A社,専用線\n2,".encode() + b"\xe3\x81,x\n"
    [fault] = read_register(broken)[1]
    assert fault.what.en.endswith("row 3 has a letter that is neither UTF-8 nor Shift_JIS.")
    assert str(fault).startswith("ファイルを読めません: 3 行目に")
    [gone] = read_register(tmp_path / "none.csv")[1]
    assert "none.csv: No such file" in str(gone) and gone.to_do.en == "Correct the path."


@pytest.mark.parametrize("dash", "-－‐‑–—―−ー〜~")
def test_a_range_is_read_with_any_dash(dash: str) -> None:
    told = ("203.0.113.1", "203.0.113.2/31", "203.0.113.4/30", "203.0.113.8/31")
    assert read_outside(f"203.0.113.1{dash}203.0.113.9") == told
    assert read_outside(f"203.0.113.1{dash}9") == told


def test_a_prefix_keeps_its_length() -> None:
    assert read_outside("203.0.113.1/32, 2001:db8::/32") == ("203.0.113.1", "2001:db8::/32")
    assert read_targets("2001:db8::/32") == ("2001:db8::/32",)


def test_names_every_faulty_row_and_loses_none() -> None:
    text = (
        "ID,Vendor,Line type,Contract end,Device IP,承認番号\n"
        "1,A,専用線,2027-02-30,192.0.2.1,\n"
        "2,B,光ファイバー,2027-01-01,192.0.2.999,\n"
        "3,,専用線,,,\n"
        "4,D,専用線,,,第12号\n"
        "4,E,専用線,,,\n"
    )
    lines, faults = read_register(text.encode())
    # Row 4 has no vendor of its own: a merged cell, as in the row above it.
    assert [(line.id, line.vendor) for line in lines] == [("3", "B"), ("4", "D")]
    assert {f.row for f in faults} == {2, 3, 6}
    assert {(f.row, f.column) for f in faults} == {
        (2, "契約期限"), (3, "回線種別"), (3, "接続機器IPアドレス"), (6, "管理番号"),
    }  # fmt: skip
    assert all(f.raw and f.what.ja and f.what.en and f.to_do.ja and f.to_do.en for f in faults)
    assert lines[-1].note == "承認番号: 第12号"


def test_says_which_column_is_missing() -> None:
    _, faults = read_register(b"ID,Vendor\n1,A\n")
    assert [f.column for f in faults] == ["回線種別"]


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"PK\x03\x04 not a zip", b"a,b,c\n1,2,3\n", b"\x81"]
)
def test_refuses_what_is_no_register(content: bytes) -> None:
    lines, faults = read_register(content)
    assert lines == []
    assert len(faults) == 1


@given(st.binary(max_size=300))
def test_no_bytes_crash_it(content: bytes) -> None:
    read_register(content)
    read_register(b"ID,Vendor,Line type\n" + content)


def test_reads_excel_with_real_dates() -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["管理番号", "ベンダ", "回線種別", "契約期限"])
    sheet.append([1, "A社", "専用線", datetime.fromisoformat("2027-03-31")])
    packed = io.BytesIO()
    book.save(packed)
    lines, faults = read_register(packed.getvalue())
    assert faults == []
    assert (lines[0].id, lines[0].contract_end) == ("1", date(2027, 3, 31))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-03-31", date(2027, 3, 31)), ("2027/3/31", date(2027, 3, 31)),
        ("2027.3.31", date(2027, 3, 31)), ("20270331", date(2027, 3, 31)),
        ("2027年3月", date(2027, 3, 31)), ("令和9年3月31日", date(2027, 3, 31)),
        ("R9.3.31", date(2027, 3, 31)), ("令和元年5月1日", date(2019, 5, 1)),
        ("平成３１年４月３０日", date(2019, 4, 30)), ("S64/1/7", date(1989, 1, 7)),
        ("無期限", None), ("自動更新", None), ("2027-03-31T00:00:00", date(2027, 3, 31)),
    ],
)  # fmt: skip
def test_reads_dates(text: str, day: date | None) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize("text", ["2027-13-01", "来年", "2027", "31/3/2027", "令和0"])
def test_refuses_dates_it_cannot_be_sure_of(text: str) -> None:
    with pytest.raises(ValueError, match="/"):
        read_date(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("平日 9:00-17:30", "Mon-Fri 09:00-17:30"), ("月～金 ９時～１８時", "Mon-Fri 09:00-18:00"),
        ("土日 22:00-5:00", "Sat,Sun 22:00-05:00"), ("土日 22:00～翌５:00", "Sat,Sun 22:00-05:00"),
        ("平日 22時から翌朝6時まで", "Mon-Fri 22:00-06:00"),
        ("毎日 0:00-24:00", "Mon-Sun 00:00-24:00"),
        ("月・水・金 13時半から15時", "Mon,Wed,Fri 13:30-15:00"),
        ("9:00-17:00", "Mon-Sun 09:00-17:00"),
        ("Mon-Fri 09:00-18:00", "Mon-Fri 09:00-18:00"), ("平日", "Mon-Fri 00:00-24:00"),
    ],
)  # fmt: skip
def test_reads_hours(text: str, normal: str) -> None:
    assert read_windows(text) == (normal,)
    assert read_windows(normal) == (normal,)


def test_hours_hold_past_midnight_and_to_the_end_of_the_day() -> None:
    night = read_window("Fri 22:00-05:00")
    assert night is not None
    assert night.holds(datetime(2026, 11, 20, 23, 0, tzinfo=UTC))  # a Friday
    assert night.holds(datetime(2026, 11, 21, 4, 59, tzinfo=UTC))
    assert not night.holds(datetime(2026, 11, 21, 5, 0, tzinfo=UTC))
    assert not night.holds(datetime(2026, 11, 20, 4, 0, tzinfo=UTC))
    weekdays = read_window("平日")
    assert weekdays is not None
    assert weekdays.holds(datetime(2026, 11, 20, 23, 59, tzinfo=UTC))
    assert not weekdays.holds(datetime(2026, 11, 21, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize("text", ["午後", "25:00-26:00", "月火 夕方", "9時"])
def test_refuses_hours_it_does_not_understand(text: str) -> None:
    with pytest.raises(ValueError, match="/"):
        read_windows(text)


def test_reads_macs_targets_and_protocols() -> None:
    assert read_mac("0011.22AA.BBCC") == read_mac("00-11-22-aa-bb-cc") == "00:11:22:aa:bb:cc"
    assert read_targets("10.1.2.3:3389、10.2.0.0/24") == ("10.1.2.3:3389", "10.2.0.0/24")
    assert read_protocols("TeamViewer, IKEv2") == ("teamviewer", "ikev2")
    for reader in (read_mac, read_targets, read_protocols):
        with pytest.raises(ValueError, match="/"):
            reader("サーバ室")


def test_reads_the_sample_hospital_whole() -> None:
    folder = Path(__file__).resolve().parents[2] / "sample_pcaps"
    lines, faults = read_register(folder / "register.csv")
    assert faults == []
    assert {line.id: line.allowed_targets[:1] for line in lines} == {
        "L-001": ("10.20.70.10",), "L-002": ("10.20.50.10:3389",), "L-003": (),
    }  # fmt: skip
    assert lines[0].landing == ("10.20.70.10", "10.20.70.128/29")
    assert all(": " not in line.note for line in lines)
    assets, faults = read_ledger(folder / "assets.csv")
    assert faults == []
    assert all(asset.note == "" for asset in assets)


def test_windows_are_read_in_both_languages() -> None:
    told = windows_text(("Mon-Fri 09:00-18:00", "Sat,Sun 10:00-24:00"))
    assert told.ja == "月-金 09:00-18:00、土,日 10:00-24:00"
    assert told.en == "Mon-Fri 09:00-18:00; Sat,Sun 10:00-24:00"
    assert windows_text(("booking",)).ja == "予約したときだけ"
    assert windows_text(()).ja == ""
