"""Registers as people keep them in Excel: merged cells, dittos, lists downwards, covers, eras."""

from __future__ import annotations

import io
from datetime import date

import pytest
from openpyxl import Workbook

from detector.cells import read_date, read_windows
from detector.hospital import LineType
from detector.ledger import read_ledger
from detector.register import read_register, write_register
from detector.register_templates import register_templates


def packed(book: Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_really_merged_cells_hold_for_all_their_rows() -> None:
    book = Workbook()
    book.active.append(["表紙", "外部接続台帳 令和8年度"])
    sheet = book.create_sheet("台帳")
    sheet.append(["外部接続一覧"])
    sheet.append(["管理番号", "ベンダ", "回線種別", "契約期限", "接続先"])
    sheet.append(["L-1", "A社", "専用線", 46477, "192.0.2.1"])
    sheet.append(["L-2", None, None, None, "192.0.2.2"])
    sheet.append(["L-3", "B社", "SSL-VPN", None, "192.0.2.3"])
    for area in ("A1:E1", "B3:B4", "C3:C4", "D3:D4"):
        sheet.merge_cells(area)
    lines, faults = read_register(packed(book))
    assert faults == []
    assert [(x.id, x.vendor, x.line_type, x.contract_end) for x in lines] == [
        ("L-1", "A社", "専用線", date(2027, 3, 31)), ("L-2", "A社", "専用線", date(2027, 3, 31)),
        ("L-3", "B社", "SSL-VPN", None),
    ]  # fmt: skip


def csv(*rows: str, encoding: str = "cp932") -> bytes:
    return "\r\n".join(rows).encode(encoding)


@pytest.mark.parametrize("encoding", ["cp932", "utf-8-sig", "utf-8", "utf-16"])
def test_blank_and_ditto_mean_the_same_as_above(encoding: str) -> None:
    lines, faults = read_register(
        csv(
            "管理番号,事業者,対象システム,接続方式,契約期限,備考",
            "１,Ａ社,ＣＴ,ＳＳＬ－ＶＰＮ,令和9年3月末,要点検",
            "２,,MR,〃,同上,",
            "３,,,,2027年度末,",
            "４,Ｂ社,,専用線,,",
            encoding=encoding,
        )
    )
    assert faults == []
    assert [(x.id, x.vendor, x.system, x.line_type, x.contract_end, x.note) for x in lines] == [
        ("1", "A社", "CT", "SSL-VPN", date(2027, 3, 31), "要点検"),
        ("2", "A社", "MR", "SSL-VPN", date(2027, 3, 31), ""),
        ("3", "A社", "MR", "SSL-VPN", date(2028, 3, 31), ""),
        ("4", "B社", "", "専用線", None, ""),  # another vendor's system is not its own
    ]


def test_a_row_that_only_adds_to_lists_belongs_to_the_row_above() -> None:
    lines, faults = read_register(
        csv(
            "管理番号,ベンダ,回線種別,接続先,許可対象,利用時間",
            "L-1,A社,専用線,192.0.2.1,10.1.0.5:3389,平日 9:00-17:00",
            ",,,192.0.2.9,10.1.0.6:22,土曜 9:00-12:00",
            "L-2,B社,専用線,192.0.2.2,,都度",
        )
    )
    assert faults == []
    assert lines[0].outside == ("192.0.2.1", "192.0.2.9")
    assert lines[0].allowed_targets == ("10.1.0.5:3389", "10.1.0.6:22")
    assert lines[0].windows == ("Mon-Fri 09:00-17:00", "Sat 09:00-12:00")
    assert lines[1].windows == ("booking",)


def test_every_faulty_row_is_named_and_none_is_lost() -> None:
    rows = ["管理番号,ベンダ,回線種別,契約期限,接続機器IPアドレス"]
    rows += [f"L-{n},A社,専用線,2027/3/31,10.1.0.{n}" for n in range(1, 200)]
    rows[10] = "L-10,A社,伝書鳩,2027/3/31,10.1.0.10"
    rows[20] = "L-20,A社,専用線,24/4/1,10.1.0.999"
    rows[30] = ",A社,専用線,,10.1.0.30"
    rows[40] = "L-39,A社,専用線,,10.1.0.40"
    lines, faults = read_register(csv(*rows))
    assert sorted({f.row for f in faults}) == [11, 21, 31, 41]
    assert len([f for f in faults if f.row == 21]) == 2  # both of its cells
    assert len(lines) + 4 == 199
    assert all(f.raw and f.to_do.ja for f in faults)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("令和6年4月1日", date(2024, 4, 1)), ("R6.4.1", date(2024, 4, 1)),
        ("2024/4/1", date(2024, 4, 1)), ("45383", date(2024, 4, 1)),
        ("45383.0", date(2024, 4, 1)), ("２０２４／４／１", date(2024, 4, 1)),
        ("令和6年度末", date(2025, 3, 31)), ("令和元年度", date(2020, 3, 31)),
        ("2025年2月末日", date(2025, 2, 28)), ("Ｒ６／４／１", date(2024, 4, 1)),
    ],
)  # fmt: skip
def test_dates_in_japanese_forms(text: str, day: date) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize("text", ["24/4/1", "6.4.1", "令和6年13月1日", "12345678901"])
def test_dates_of_which_one_cannot_be_sure_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="日付は"):
        read_date(text)


@pytest.mark.parametrize("text", ["都度", "要申請", "booking", "作業申請時", "オンデマンド"])
def test_lines_that_are_used_on_request(text: str) -> None:
    assert read_windows(text) == ("booking",)


def test_a_ledger_tells_what_is_gone() -> None:
    assets, faults = read_ledger(
        csv(
            "IPアドレス,ホスト名,状態,VLAN", "10.1.0.1,CT-1,使用中,30",
            "10.1.0.2,CT-0,廃棄済,VLAN30", "10.1.0.3,PC-1,令和6年3月31日,",
            "10.1.0.4,PC-2,たぶん,5000",
        )
    )  # fmt: skip
    assert [(a.ip, a.is_retired, a.vlan) for a in assets] == [
        ("10.1.0.1", False, 30), ("10.1.0.2", True, 30), ("10.1.0.3", True, 0),
    ]  # fmt: skip
    assert [(f.row, f.column) for f in faults] == [(5, "廃棄"), (5, "VLAN")]


FORMS: tuple[LineType, ...] = (
    "専用線", "IP-VPN", "拠点間VPN", "リモートアクセスVPN", "SSL-VPN", "SASE/SSE", "プロキシ経由",
    "セキュアブラウザ", "VDI", "LTE/5G", "PSTN/ISDN",
)  # fmt: skip
USES = (
    "オンライン資格確認", "レセプトオンライン請求", "電子処方箋", "地域医療連携", "遠隔読影",
    "クラウドAI", "遠隔手術支援", "院外からのRDP",
)  # fmt: skip


def test_there_is_a_template_for_every_form_and_use() -> None:
    templates = register_templates().values()
    assert set(FORMS) <= {t.example.line_type for t in templates if t.title.ja in FORMS}
    assert set(USES) <= {t.title.ja for t in templates}


@pytest.mark.parametrize("name", register_templates())
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_template_is_refused_until_it_is_filled_in_and_then_read_whole(
    name: str, form: str
) -> None:
    template = register_templates()[name]
    lines, faults = read_register(template.as_file("ja", form))  # type: ignore[arg-type]
    assert (lines, len(faults), faults[0].row) == ([], 1, 2)
    filled = template.example.model_copy(update={"id": "L-1"})
    lines, faults = read_register(write_register([filled], "ja", form))  # type: ignore[arg-type]
    assert (lines, faults) == ([filled], [])


def test_long_lists_inside_cells_do_not_pass_for_columns() -> None:
    targets = [";".join(f"10.20.{n}.{host}" for host in range(10, 40 + n)) for n in range(3)]
    rows = [f"L-{n},A社,専用線,{listed}" for n, listed in enumerate(targets)]
    lines, faults = read_register(csv("管理番号,ベンダ,回線種別,許可対象", *rows))
    assert faults == []
    assert [len(line.allowed_targets) for line in lines] == [30, 31, 32]
