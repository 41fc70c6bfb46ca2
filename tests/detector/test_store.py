"""The store keeps what people said, whatever the engine saves over it."""

from dataclasses import replace
from pathlib import Path

import pytest

from detector.alerts import Alert, Party
from detector.incidents import join_alerts
from detector.store import Store
from detector.words import Text

WORD = Text("あ", "a")
ALERT = Alert(
    id="a1", detector="d", variant="", category="policy", techniques=("T1046",), severity="low",
    score=30, confidence=1, first_ns=1, last_ns=2, source=Party("10.0.0.1"), targets=(),
    title=WORD, why=WORD, next_step=WORD, facts={"ports": [1, 2]},
)  # fmt: skip


def test_an_alert_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    store.save_alerts([ALERT])
    assert store.alert("a1") == ALERT
    store.close()
    assert Store(tmp_path / "s.db").open().alert("a1") == ALERT


def test_what_a_person_said_stays(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    store.save_alerts(
        [replace(ALERT, state="benign_explained", state_reason="保守", state_by="sato")]
    )
    store.save_alerts([replace(ALERT, count=5)], keep_states=True)
    stored = store.alert("a1")
    assert stored is not None
    assert (stored.state, stored.state_by, stored.count) == ("benign_explained", "sato", 5)


def test_a_closed_incident_opens_again_when_it_grows(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    (incident,) = join_alerts([ALERT], {})
    store.save_incidents([incident.close("sato", "確認済み")])
    store.save_incidents([incident], keep_states=True)
    assert store.incidents()[0].state == "closed"
    grown = replace(incident, alert_ids=(*incident.alert_ids, "a2"))
    store.save_incidents([grown], keep_states=True)
    assert store.incidents()[0].state == "open"


def test_pages_follow_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    store.save_alerts([replace(ALERT, id=f"a{n}", last_ns=n // 2) for n in range(7)])
    first = store.alerts(limit=4)
    rest = store.alerts(limit=4, before=(first[-1].last_ns, first[-1].id))
    assert [a.id for a in first + rest] == ["a6", "a5", "a4", "a3", "a2", "a1", "a0"]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(RuntimeError, match="newer version"):
        Store(tmp_path / "s.db").open()
