"""Other monitors' signatures: told once, by their weight, and never counted twice."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

from collector.sightings import IdsAlert
from detector.alerts import Alert, make_alert
from detector.detection import Finding
from detector.ids_alert import IdsAlerts
from detector.incidents import join_alerts
from detector.lateral.admin_edge import AdminEdge
from tests.detector.windows import START_NS, S, World

INSIDE, SERVER, OUTSIDE = "10.1.2.3", "10.1.0.9", "203.0.113.9"


def said(signature: str, at: float = 0, **more: Any) -> IdsAlert:
    return IdsAlert(
        **{
            "time_ns": START_NS + int(at * S), "ip": INSIDE, "peer_ip": SERVER,
            "monitor": "suricata", "signature": signature, "signature_id": "1:" + signature,
            "severity": "high", **more,
        }
    )  # fmt: skip


def tell(*alerts: IdsAlert, world: World | None = None) -> list[Finding]:
    world = world or World()
    return world.run(IdsAlerts(), world.window([], alerts))


def test_a_signature_is_told_once_a_pair_with_its_technique() -> None:
    told = tell(*(said("ET EXPLOIT SMB", at, techniques=("T1210",)) for at in range(5)))
    [finding] = told
    assert (finding.source, finding.targets, finding.score) == (INSIDE, (SERVER,), 70)
    assert (finding.facts["times"], finding.techniques) == (5, ("T1210",))
    assert finding.category == "lateral_movement"


def test_policy_weighs_little_and_decoder_events_are_silent() -> None:
    [policy] = tell(said("ET POLICY Windows Update", category="Misc activity"))
    assert (policy.score, policy.category) == (15, "policy")
    assert tell(said("SURICATA STREAM invalid ack")) == []
    assert tell(said("x", category="Generic Protocol Command Decode")) == []


def test_what_was_stopped_weighs_less_and_says_so() -> None:
    [finding] = tell(said("MS.SMB.Exploit", severity="critical", is_stopped=True))
    assert (finding.variant, finding.score) == ("stopped", 85 * 0.75)


def test_malware_that_answers_from_outside_is_the_inside_hosts() -> None:
    [finding] = tell(
        said("ET MALWARE CnC Response", ip=OUTSIDE, peer_ip=INSIDE, category="A Network Trojan")
    )
    assert (finding.source, finding.targets) == (INSIDE, (OUTSIDE,))
    assert finding.category == "command_and_control"


def test_many_targets_of_one_signature_are_one_alert() -> None:
    world = World()
    told = tell(*(said("ET SCAN", n, peer_ip=f"10.1.0.{n}") for n in range(1, 40)), world=world)
    ids = {make_alert(IdsAlerts(), finding, world.hosts).id for finding in told}
    assert len(ids) == 6
    alerts = [make_alert(IdsAlerts(), finding, world.hosts) for finding in told]
    many = [alert for alert in alerts if alert.id == alerts[-1].id]
    assert len(reduce(Alert.merge, many).targets) == 39


def test_a_flood_of_signatures_and_targets_is_bounded() -> None:
    """Whoever writes records chooses the signature, the hosts and how many there are."""
    detector, world = IdsAlerts(), World()
    memory = detector.remember()
    for target in range(120):
        alerts = [said("S" * 9_000, peer_ip=f"10.1.{target}.1", ip=f"10.2.0.{n}") for n in range(9)]
        list(detector.find(world.window([], alerts), memory))
    assert all(len(told.targets) == 6 for told in memory.values())
    assert max(len(name) for name, _ in memory) == 200


def alerts_of_a_pair() -> tuple[Alert, Alert]:
    world = World()
    [finding] = tell(said("ET EXPLOIT SMB"), world=world)
    theirs = make_alert(IdsAlerts(), finding, world.hosts)
    own = replace(theirs, id="own", detector=AdminEdge.id, score=75.0)
    return theirs, own


def test_it_joins_the_incident_and_counts_nothing_twice() -> None:
    theirs, own = alerts_of_a_pair()
    [alone] = join_alerts([own], {})
    [both] = join_alerts([own, theirs], {})
    assert set(both.alert_ids) == {own.id, theirs.id}
    assert both.priority == alone.priority
    elsewhere = replace(theirs, targets=(replace(theirs.targets[0], ip="10.1.0.77"),))
    [more] = join_alerts([own, elsewhere], {})
    assert more.priority > alone.priority
    [later] = join_alerts([own, replace(theirs, category="impact")], {})
    assert later.priority == alone.priority, "nor is its stage a further one"


def test_the_graver_word_of_the_two_counts() -> None:
    theirs, own = alerts_of_a_pair()
    [alone] = join_alerts([theirs], {})
    [both] = join_alerts([theirs, replace(own, score=15.0)], {})
    assert both.priority == alone.priority


def test_what_people_explained_of_ours_silences_no_other_monitor() -> None:
    theirs, own = alerts_of_a_pair()
    [alone] = join_alerts([theirs], {})
    [both] = join_alerts([theirs, replace(own, state="false")], {})
    assert (both.priority, both.push) == (alone.priority, alone.push)
