"""Incidents join what belongs together and rank it by care."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from detector.alerts import Alert, Party
from detector.incidents import Joiner, join_alerts
from detector.words import Text

HOUR = 3_600_000_000_000
WORD = Text("あ", "a")


def alert(
    name: str, source: str, target: str = "", hour: int = 0, category: str = "reconnaissance",
    line: str = "", score: float = 60,
) -> Alert:  # fmt: skip
    return Alert(
        id=name, detector=name, variant="", category=category,  # type: ignore[arg-type]
        techniques=(), severity="medium", score=score, confidence=1, first_ns=hour * HOUR,
        last_ns=hour * HOUR, source=Party(source), targets=(Party(target),) if target else (),
        title=WORD, why=WORD, next_step=WORD, line=line,
    )  # fmt: skip


def test_a_pivot_over_two_hosts_is_one_incident() -> None:
    first = alert("rdp", "10.0.7.10", "10.0.5.10", category="lateral_movement")
    second = alert("psexec", "10.0.5.10", "10.0.1.10", hour=2, category="lateral_movement")
    (incident,) = join_alerts([second, first], {"10.0.1.10": 1.0})
    assert incident.alert_ids == ("rdp", "psexec")
    assert incident.stages == ("lateral_movement",)


def test_two_hosts_far_apart_stay_apart() -> None:
    apart = join_alerts([alert("a", "10.0.0.1"), alert("b", "10.0.0.2")], {})
    later = join_alerts([alert("a", "10.0.0.1"), alert("b", "10.0.0.1", hour=80)], {})
    assert len(apart) == len(later) == 2


def test_a_line_joins_for_a_month() -> None:
    joined = join_alerts(
        [alert("a", "10.0.0.1", line="V-1"), alert("b", "10.0.0.2", hour=500, line="V-1")], {}
    )
    assert len(joined) == 1


def test_a_scans_targets_do_not_chain_the_hospital_together() -> None:
    scan = alert("scan", "10.0.0.1", "10.0.0.9")
    other = alert("other", "10.0.0.9")
    assert len(join_alerts([scan, other], {})) == 2


def test_care_ranks_first() -> None:
    office, icu = alert("a", "10.0.0.1"), alert("b", "10.0.0.2")
    ranked = join_alerts([office, icu], {"10.0.0.1": 0.6, "10.0.0.2": 1.2})
    assert ranked[0].hosts == ("10.0.0.2",)
    assert ranked[0].priority == 72.0


def test_weak_alerts_join_their_hosts_incident_and_bridge_nothing() -> None:
    pivot = alert("rdp", "10.0.7.10", "10.0.5.10", category="lateral_movement", score=80)
    weak = alert("nx", "10.0.5.10", "10.0.6.1", hour=1, category="lateral_movement", score=30)
    other = alert("smb", "10.0.6.1", hour=2, score=80)
    joined = join_alerts([pivot, weak, other], {})
    assert sorted(i.alert_ids for i in joined) == [("rdp", "nx"), ("smb",)]


def test_a_server_that_many_are_told_against_chains_nobody() -> None:
    tools = [
        alert(f"t{n}", f"10.0.{n}.1", "10.0.0.9", hour=n, category="lateral_movement", score=75)
        for n in range(1, 7)
    ]
    assert len(join_alerts(tools, {})) == 6
    assert len(join_alerts(tools[:2], {})) == 1


def test_an_incident_does_not_go_on_for_ever() -> None:
    daily = [alert(f"d{n}", "10.0.0.1", hour=24 * n, score=60) for n in range(40)]
    assert 3 <= len(join_alerts(daily, {})) <= 4


HOSTS = [f"10.0.0.{n}" for n in range(1, 6)]
ALERTS = st.builds(
    alert,
    name=st.sampled_from([f"detector{n}" for n in range(12)]),
    source=st.sampled_from(HOSTS),
    target=st.sampled_from(["", *HOSTS]),
    hour=st.integers(0, 500),
    category=st.sampled_from(["reconnaissance", "lateral_movement", "impact"]),
    line=st.sampled_from(["", "", "line 1", "line 2"]),
    score=st.sampled_from([30.0, 60.0, 90.0]),
)
IMPACTS = st.dictionaries(st.sampled_from(HOSTS), st.sampled_from([0.6, 0.8, 1.2]))
DEMANDS = st.sampled_from([1.0, 1.4])
STATES = st.sampled_from(["open", "false", "suppressed"])


@given(st.lists(st.tuples(st.lists(st.tuples(ALERTS, STATES)), IMPACTS, DEMANDS), min_size=2))
def test_joining_again_and_again_gives_what_joining_anew_gives(
    steps: list[tuple[list[tuple[Alert, str]], dict[str, float], float]],
) -> None:
    joiner, known = Joiner(), dict[str, Alert]()
    for news, impact_of, demand in steps:
        for told, state in news:
            known[told.id] = replace(told, state=state)  # type: ignore[arg-type]

        def weigh(told: Alert, demand: float = demand) -> float:
            return told.score / demand

        joined = joiner.join(list(known.values()), impact_of, weigh)
        assert joined == join_alerts(list(known.values()), impact_of, weigh)


def test_low_views_of_one_deed_are_one_doubt() -> None:
    """A tool's round: the file it places, the service it makes and the edge are told apart."""
    views = [
        alert(name, "10.0.0.1", f"10.0.1.{n}", category="lateral_movement", score=45)
        for n, name in enumerate(("admin_edge", "admin_shares", "remote_calls"))
    ]
    (incident,) = join_alerts(views, {"10.0.0.1": 1.0})
    assert (incident.priority, incident.push) == (45.0, "digest")


def test_what_is_low_or_long_ago_is_no_stage_of_an_intrusion() -> None:
    def priority(*alerts: Alert) -> float:
        (incident,) = join_alerts(alerts, {"10.0.0.1": 1.0})
        return incident.priority

    pivot = alert("rdp", "10.0.0.1", hour=240, category="lateral_movement")
    call_home = alert("nx", "10.0.0.1", hour=240, category="command_and_control")
    low = replace(call_home, score=30)
    assert priority(pivot, call_home) == 84 + 15
    assert priority(pivot, low) == 72
    bridge = [alert("rdp", "10.0.0.1", hour=h, category="lateral_movement") for h in (60, 120, 180)]
    bridge = [replace(b, id=f"rdp{n}") for n, b in enumerate(bridge)]
    ten_days_ago = replace(call_home, first_ns=0, last_ns=0)
    assert priority(ten_days_ago, *bridge, pivot) < 65
