"""The plan in use is shown; one that the settings hold is not overwritten in vain."""

from __future__ import annotations

from api.app import create_app
from detector.hospital import Segment
from detector.setup.confirm import PLAN_FILE
from tests.api.house import House

PLAN = """
[[segments]]
name = "病棟"
vlan = 20
prefixes = ["10.20.20.0/23"]
"""
WARD = (Segment.model_validate({"name": "病棟", "vlan": 20, "prefixes": ["10.20.20.0/23"]}),)


async def told(house: House, segments: tuple[Segment, ...]) -> tuple[bool, int]:
    """Whether the settings are said to hold the plan, and the answer to confirming another."""
    app = create_app(house.settings, house.store, now_ns=house.clock, segments=segments)
    there = House(**{**house.__dict__, "app": app})
    async with app.router.lifespan_context(app), there.client("admin1") as client:
        state = (await client.get("/api/v1/setup")).json()
        assert [s["name"] for s in state["segments"]] == [s.name for s in segments]
        answer = await client.post("/api/v1/setup", json={"plan": PLAN})
        return state["is_from_settings"], answer.status_code


async def test_a_plan_in_the_settings_is_changed_there(house: House) -> None:
    assert await told(house, WARD) == (True, 422)
    (house.settings.state_dir / PLAN_FILE).write_text("broken = [")
    assert await told(house, WARD) == (True, 422)


async def test_a_confirmed_plan_may_be_confirmed_again(house: House) -> None:
    assert await told(house, ()) == (False, 200)
    assert await told(house, WARD) == (False, 200)
