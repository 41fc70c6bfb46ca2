"""Isolation plans: least harm first, with undo, and only people move them on."""

from __future__ import annotations

import pytest

from detector.alerts import Alert, Party
from detector.detection import FlowKey
from detector.hospital import Asset, Hospital, RegisteredLine
from detector.incidents import join_alerts
from detector.isolation.plan import IsolationPlan, Step, Stop
from detector.isolation.planner import Planner
from detector.isolation.responders import Cut, render_all
from detector.isolation.switch_place import switch_place
from detector.switch_ports import EdgePort
from detector.words import Text

WORD = Text("あ", "a")
HOSPITAL = Hospital(
    assets=(
        Asset(
            ip="10.0.5.10", name="NUT-SV1", role="server", department="栄養科", contact="内線 2345",
            switch="SW-5F", switch_port="Gi1/0/12",
        ),
        Asset(ip="10.0.9.1", name="VENT-3", role="medical_device", department="ICU"),
        Asset(ip="10.0.8.8", name="BKUP", role="backup", switch_port="Gi1/0/1"),
    ),
    lines=(
        RegisteredLine(id="V-1", vendor="給食会社", line_type="拠点間VPN", device_ip="10.0.7.1"),
    ),
)  # fmt: skip


def depends(ip: str, at_ns: int) -> tuple[Stop, ...]:
    return (Stop("HL7連携", ("EMR-AP1", "10.0.1.10"), 14, True),)


def plan_for(
    source: str, target: str, category: str = "lateral_movement", line: str = ""
) -> IsolationPlan:
    flow = FlowKey(0, source, 50000, target, 3389, 6)
    alert = Alert(
        id="a", detector="d", variant="", category=category,  # type: ignore[arg-type]
        techniques=(), severity="critical", score=90, confidence=1, first_ns=0, last_ns=0,
        source=Party(source), targets=(Party(target),), title=WORD, why=WORD, next_step=WORD,
        line=line, flows=(flow,),
    )  # fmt: skip
    (incident,) = join_alerts([alert], {})
    return Planner(HOSPITAL, depends).plan(incident, [alert])


MAC, OTHER = "00:11:22:00:00:10", "00:11:22:00:00:11"


def seen_at(ports: dict[str, EdgePort], asset: str = "mac-001122000010") -> Step:
    """The step that isolates the dietary server, when the switches' tables show these ports."""
    flow = FlowKey(0, "10.0.5.10", 50000, "10.0.1.10", 3389, 6)
    alert = Alert(
        id="a", detector="d", variant="", category="lateral_movement", techniques=(),
        severity="critical", score=90, confidence=1, first_ns=0, last_ns=0,
        source=Party("10.0.5.10", mac=MAC, asset=asset), targets=(Party("10.0.1.10"),),
        title=WORD, why=WORD, next_step=WORD, flows=(flow,),
    )  # fmt: skip
    (incident,) = join_alerts([alert], {})
    return Planner(HOSPITAL, depends, ports).plan(incident, [alert]).steps[-1]


def test_commands_name_the_port_that_the_mac_table_shows_and_say_when_the_ledger_differs() -> None:
    step = seen_at({MAC: EdgePort("SW-5F", "Gi1/0/7", 1)})
    assert "interface Gi1/0/7" in step.commands[0].do
    assert "台帳は Gi1/0/12" in step.title.ja
    same = seen_at({MAC: EdgePort("SW-5F", "GigabitEthernet1/0/12", 1)})
    assert "interface GigabitEthernet1/0/12" in same.commands[0].do
    assert "台帳" not in same.title.ja
    assert "interface Gi1/0/12" in seen_at({OTHER: EdgePort("SW-5F", "Gi1/0/7", 1)}).commands[0].do


def test_a_port_that_others_share_stays_up() -> None:
    shared = EdgePort("SW-5F", "Gi1/0/7", 2)
    step = seen_at({MAC: shared, OTHER: shared})
    rendered = " ".join(word for c in step.commands for word in c.do)
    assert "Gi1/0/7" not in rendered
    assert "deny ip host 10.0.5.10 any" in rendered
    assert OTHER in step.title.ja and "2 台" in step.title.ja


def test_a_routers_port_is_not_the_one_of_a_host_behind_it() -> None:
    """Neither ARP nor a lease has told that the MAC is the host's own."""
    step = seen_at({MAC: EdgePort("SW-CORE", "Gi1/0/48", 1)}, asset="")
    assert "interface Gi1/0/12" in step.commands[0].do  # the ledger's
    assert "Gi1/0/48" not in step.title.ja


@pytest.mark.parametrize("port", ["Gi1/0/7\nreload", "Gi1/0/7;x", "ポート7"])
def test_a_port_of_a_hostile_table_stands_in_no_command(port: str) -> None:
    assert not any("interface" in w for c in seen_at({MAC: EdgePort("S", port, 1)}).commands
                   for w in c.do)  # fmt: skip
    spaced = seen_at({MAC: EdgePort("S", "Gi 1/0/7", 1)})
    assert "interface Gi1/0/7" in spaced.commands[0].do


def test_a_pivot_is_watched_called_about_then_cut_edge_before_host() -> None:
    plan = plan_for("10.0.5.10", "10.0.1.10", line="V-1")
    assert [s.level for s in plan.steps] == [0, 1, 2, 3, 5]
    assert "内線 2345" in plan.steps[1].title.ja
    edge = plan.steps[3]
    assert "1 deny tcp host 10.0.5.10 host 10.0.1.10 eq 3389" in edge.commands[0].do
    assert edge.stops[0].flows_8h == 14
    host = plan.steps[4]
    assert "interface Gi1/0/12" in host.commands[0].do


def test_every_command_has_an_undo() -> None:
    for step in plan_for("10.0.5.10", "10.0.1.10", line="V-1").steps:
        assert all(c.undo for c in step.commands)


def test_without_a_known_switch_port_nothing_is_rendered_for_it() -> None:
    host = plan_for("10.0.6.6", "10.0.1.10").steps[-1]
    assert host.level == 5
    assert host.commands == ()
    assert "現地で確かめて" in host.title.ja


def test_life_critical_devices_are_decided_at_the_bedside() -> None:
    host = plan_for("10.0.9.1", "10.0.1.10").steps[-1]
    assert "ベッドサイド" in host.approver.ja


def test_spreading_ransomware_saves_the_backups_first() -> None:
    plan = plan_for("10.0.5.10", "10.0.1.10", category="impact")
    assert [s.level for s in plan.steps][2] == 8
    assert "shutdown" in plan.steps[2].commands[0].do


def test_a_step_moves_only_in_order() -> None:
    plan = plan_for("10.0.5.10", "10.0.1.10")
    with pytest.raises(ValueError, match="proposed can become approved, rejected, not done"):
        plan.move(3, "done", "sato", 1)
    done = (
        plan.move(3, "approved", "sato", 1).move(3, "done", "sato", 2).move(3, "undone", "sato", 3)
    )
    assert done.steps[3].state == "undone"
    assert plan.steps[3].state == "proposed"
    with pytest.raises(IndexError, match="not 99"):
        plan.move(99, "approved", "sato", 1)


def test_a_plan_survives_storage() -> None:
    plan = plan_for("10.0.5.10", "10.0.1.10", line="V-1")
    assert IsolationPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("source", ["fe80::1%x\nexecute reboot", "fe80::1%eth0", "10.0.5.10\n"])
def test_an_address_with_words_behind_it_stands_in_no_command(source: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        Cut("host", source=source)


@pytest.mark.parametrize("port", ["1 (壁面)", "Gi1/0/7;x", "5番", ""])
def test_a_port_that_the_ledger_words_freely_ends_no_plan(port: str) -> None:
    listed = Asset(ip="10.0.5.10", switch="SW-5F", switch_port=port)
    hospital = Hospital(assets=(listed,))
    place = switch_place(Party("10.0.5.10"), hospital, {})
    assert place.port == ""
    assert port in place.where.ja


def test_several_cuts_on_one_device_stand_side_by_side() -> None:
    cuts = [Cut("edge", "10.0.5.10", f"10.0.1.{n}", 445) for n in range(5)]
    cuts.append(Cut("host", "10.0.5.10"))
    cisco, yamaha = ([render_all(cut)[n] for cut in cuts] for n in (0, 1))
    for told in cisco:  # each makes room for itself, and goes by its own words
        assert "ip access-list resequence MIMAWARI 1000 10" in told.do
        rule = next(word for word in told.do if word.startswith("1 "))
        assert f"no {rule[2:]}" in told.undo
    filters = {word.split()[2] for told in yamaha for word in told.do if " reject " in word}
    assert len(filters) == len(cuts)
    for told in yamaha:
        number = next(word.split()[2] for word in told.do if " reject " in word)
        assert told.undo[-1] == f"no ip filter {number}"
        assert "ip filter 9000000 pass * *" in told.do  # an interface without filters lets all in


def test_a_port_of_unknown_vlan_is_not_sent_to_vlan_1() -> None:
    [cisco] = render_all(Cut("quarantine", switch_port="Gi1/0/7"))
    assert "show running-config interface Gi1/0/7" in cisco.do
    assert "switchport access vlan <元の番号>" in cisco.undo


@pytest.mark.parametrize("port", ["Gi1/0/1\nreload", "Gi1/0/1\n", "x; reload", "`id`"])
def test_nothing_breaks_out_of_a_command(port: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        render_all(Cut("port_down", switch_port=port))


def test_devices_are_told_in_their_own_words() -> None:
    devices = {c.device: c for c in render_all(Cut("host", source="10.0.5.10"))}
    assert set(devices) == {"Cisco IOS", "Yamaha RTX", "FortiGate"}
    assert devices["FortiGate"].undo == ("diagnose user banned-ip delete src4 10.0.5.10",)
