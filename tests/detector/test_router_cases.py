"""Unlisted routers in freshly written captures are told within ten minutes."""

from __future__ import annotations

import pytest

from api.configuration import read_configuration
from bench.truth_routers import LIMIT_S, PLAYS, SETTINGS, make_case, time_to_tell


@pytest.mark.parametrize("kind", PLAYS)
@pytest.mark.parametrize("lane", ["span", "listener"])
def test_the_device_is_named_within_ten_minutes(kind: str, lane: str) -> None:
    if lane == "listener" and not PLAYS[kind][1]:
        pytest.skip("forwarded frames are unicast: a VLAN listener cannot see them")
    planned = read_configuration(SETTINGS)
    for seed in range(3):
        case = make_case(kind, f"test {seed}", has_plan=True, is_listener=lane == "listener")
        told = time_to_tell(case, planned)
        assert told is not None
        assert told <= LIMIT_S


def test_the_ward_without_such_a_device_is_quiet() -> None:
    case = make_case("", "quiet", has_plan=True, is_listener=False)
    assert time_to_tell(case, read_configuration(SETTINGS)) is None
