"""The weekly digest says what the week held, in both languages, and never that all was seen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from api.reports.weekly import MOST_LINES, WEEK_NS, weekly_digest
from detector.store import Store
from detector.words import Text
from tests.api.house import START_NS, fill, make_alert
from tests.api.test_maintenance import slip


def digest_text(store: Store, language: str = "ja", until_ns: int = 0) -> str:
    digest = weekly_digest(store, "第一病院", "Asia/Tokyo", until_ns)
    return digest.to_text(language)  # type: ignore[arg-type]


def opened(tmp_path: Path) -> Store:
    store = Store(tmp_path / "s.db").open()
    fill(store)
    line = {"id": "o1", "last_ns": START_NS, "verdict": "unregistered", "device_ip": "10.1.0.6",
            "outside": "relay.example", "label": "AnyDesk"}  # fmt: skip
    store.save_observed_lines([line, {"id": "L-1", "last_ns": START_NS, "verdict": "matched"}])
    store.save_slips([slip()])
    return store


def test_a_week_in_japanese(tmp_path: Path) -> None:
    store = opened(tmp_path)
    text = digest_text(store)
    assert text.startswith("第一病院 見回り 週次報告 2025-06-09 – 2025-06-16")
    for words in (
        "台帳にない：ward-pc → relay.example（AnyDesk）", "遠隔保守 1 件、うち病院の確認待ち 1 件",
        "範囲外：06-16 00:06 保守会社（L-1）", "台帳にない 1 台、見えない 1 台、相違 1 台",
        "どこに置いても見えません", "取りこぼし 3 件（queue）",
    ):  # fmt: skip
        assert words in text
    assert "not registered: ward-pc" in digest_text(store, "en")
    assert not re.search(r"[ぁ-んァ-ヶ一-龠々] ?[(:;]", text)  # Latin marks beside Japanese words
    store.close()


def test_another_week_is_another_report(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert "事案 0 件" in digest_text(store, until_ns=START_NS - WEEK_NS)
    assert "事案 1 件" in digest_text(store)
    store.close()


def test_the_digest_stays_short(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    alerts = [
        replace(make_alert(f"a{n}", severity="low", score=30.0), title=Text(f"件{n}", f"n{n}"))
        for n in range(60)
    ]
    store.save_alerts([*alerts, replace(alerts[7], id="again")])
    digest = weekly_digest(store, "病院", "Asia/Tokyo")
    told = digest.sections[1].lines
    assert len(told) == MOST_LINES + 1
    assert told[0].ja == "件7（2 件）"
    assert told[-1].ja == "ほか 40 種類"
    store.close()


def test_html_escapes_what_came_from_the_wire(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    store.save_alerts([make_alert("a", severity="low", title=Text("<script>x</script>", "y"))])
    page = weekly_digest(store, "<b>病院", "Asia/Tokyo").to_html()
    assert "<script>" not in page and "<b>" not in page
    store.close()


def test_an_empty_store_has_a_report(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    assert "院外への回線は見えていません" in digest_text(store)
    store.close()
