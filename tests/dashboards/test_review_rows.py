"""The review list: one row for what the same machines do, and never beside an open alert."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboards.review_rows import review_rows
from detector.alerts import Party
from tests.api.house import make_alert


def group(target: str, service: str = "SMB", **told: Any) -> dict[str, Any]:
    return {
        "key": f"scanner|{target}|{service}", "source_role": "scanner", "target": target,
        "service": service, "count": 1, "sources": ["10.1.0.5"], "waits": True, "days": 1,
        "last_ns": 7, "is_decided": False, **told,
    }  # fmt: skip


def test_a_scanner_is_one_row() -> None:
    [row] = review_rows(
        [group("10.1.0.8"), group("10.1.0.9", days=3), group("10.1.0.9", "RDP", last_ns=9)], ()
    )
    assert row.targets == ("10.1.0.8", "10.1.0.9")
    assert row.services == ("SMB", "RDP")
    assert (row.days, row.last_ns, len(row.keys)) == (3, 9, 3)


def test_hosts_that_are_not_all_known_stay_apart() -> None:
    many = {"count": 40, "sources": ["10.1.0.5", "10.1.0.6"]}
    assert len(review_rows([group("10.1.0.8", **many), group("10.1.0.9", **many)], ())) == 2
    decided = [group("10.1.0.8"), group("10.1.0.9", is_decided=True)]
    assert len(review_rows(decided, ())) == 2


def test_a_row_with_an_open_alert_comes_last_and_names_the_gravest() -> None:
    alert = make_alert("a1", score=40.0)  # 10.1.0.5 to 10.1.0.9
    graver = replace(alert, id="a2", score=80.0)
    elsewhere = replace(alert, id="a3", score=99.0, targets=(Party("10.1.0.77"),))
    rows = review_rows(
        [group("10.1.0.9"), group("10.1.0.9", sources=["10.1.0.6"])], [alert, graver, elsewhere]
    )
    assert [r.sources[0] for r in rows] == ["10.1.0.6", "10.1.0.5"]
    assert rows[0].alert is None
    assert rows[1].alert is not None and rows[1].alert.id == "a2"
