"""The map of blind spots through the API: what is wired to it, and when it cannot answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from api.configuration import Configuration
from api.faults import Unavailable
from api.people import Person
from api.services.coverage import CoverageService
from api.serving import make_app
from api.settings import ApiSettings
from detector.store import Store
from tests.api.house import House

VIEWER = Person("viewer1", "", frozenset({"viewer"}), frozenset({"lines.read"}), "192.0.2.7")


async def test_without_a_lake_it_says_503_and_why(house: House) -> None:
    async with house.client("viewer1") as client:
        answer = await client.get("/api/v1/coverage")
    assert answer.status_code == 503
    assert "no flow lake" in answer.json()["detail"]


class _Gate:
    """Lets everybody look; permissions have their own tests."""

    def look(self, *asked: object) -> None:
        return None


def test_while_others_read_it_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.services.coverage._WAIT_S", 0.01)
    began, may_end = Event(), Event()

    def slow() -> list[dict[str, object]]:
        began.set()
        may_end.wait(5)
        return []

    service = CoverageService(slow, _Gate())  # type: ignore[arg-type]
    reader = Thread(target=service.report, args=(None,))
    reader.start()
    assert began.wait(5)
    with pytest.raises(Unavailable, match="others are reading") as told:
        service.report(None)
    may_end.set()
    reader.join(5)
    assert told.value.status == 503
    assert service.report(None) == []


async def test_the_served_application_tells_what_the_state_folder_holds(
    tmp_path: Path, make_settings: Callable[..., ApiSettings]
) -> None:
    """Nothing stands in for a part: store, lake and map as `mimawari serve` joins them."""
    store = Store(tmp_path / "mimawari.db").open()
    store.save_note("collector_health", {"event_ns": 1_790_000_000_000_000_000})
    heard = [{"vlan": 50, "broadcast": True, "unicast": False, "flow": False}]
    store.save_note("line_evidence", {"vlans": heard, "at_ns": 1_790_000_000_000_000_000})
    app = make_app(Configuration(state_dir=tmp_path), make_settings(), store)
    async with app.router.lifespan_context(app):
        rows = app.state.services.coverage.report(VIEWER)
    assert [(row["vlan"], row["seen"]) for row in rows] == [(50, ["broadcast"])]
    store.close()
