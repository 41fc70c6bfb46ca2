"""EX-1, families 4 to 9: each sign is weighed, none of the benign causes alone calls anybody."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from collector.sightings import Arp, Dhcp, Dns, MonitorEvent, NameAnnouncement, Ntlm, Sighting
from detector.hospital import Asset, Hospital, RegisteredLine, Segment
from detector.hosts import HostTable
from detector.lines.hidden_line import HiddenLine, HiddenLineMemory
from detector.lines.reference import use_lists
from tests.detector.lines_windows import START, S, findings, flow, window

PC, PC_MAC = "10.20.30.51", "00:1c:73:00:00:51"
PEER, PEER_MAC = "10.20.30.60", "00:1c:73:00:00:60"
SERVER = "10.20.80.10"
PLAN = Hospital(
    timezone="UTC",
    segments=(
        Segment(name="放射線", vlan=30, prefixes=(ip_network("10.20.30.0/24"),), closed=True),
        Segment(name="サーバ", vlan=80, prefixes=(ip_network("10.20.80.0/24"),), closed=True),
    ),
)
DAY = 86_400


def clues(
    flows: Any = (), sightings: Any = (), hospital: Hospital = PLAN
) -> dict[str, list[tuple[str, float]]]:
    """By host: (family, weight) of all that was noted in one window."""
    detector, memory = HiddenLine(), HiddenLineMemory()
    list(detector.find(window(flows, sightings, hospital), memory))
    return noted(memory)


def noted(memory: HiddenLineMemory) -> dict[str, list[tuple[str, float]]]:
    return {
        host: sorted((c.family, c.weight) for c in evidence.clues.values())
        for host, evidence in memory.evidence.hosts.items()
    }


def arp(ip: str, mac: str) -> Arp:
    return Arp(time_ns=START, mac=mac, ip=ip, operation=1, sender_mac=mac, sender_ip=ip,
               target_mac="", target_ip=ip)  # fmt: skip


def asks(mac: str, name: str = "", vendor: str = "") -> Dhcp:
    return Dhcp(time_ns=START, mac=mac, message="discover", client_mac=mac, host_name=name,
                vendor_class=vendor, vlan=30)  # fmt: skip


def event(kind: str, **fields: Any) -> MonitorEvent:
    return MonitorEvent(time_ns=START, monitor="switch", event=kind, **fields)


# 4 identity


def test_the_mac_that_all_sticks_share_is_proof() -> None:
    found = findings(HiddenLine(), [], [arp(PC, "0c:5b:8f:27:9a:64")], PLAN)
    assert [(f.source, f.score) for f in found] == [(PC, 80)]
    assert found[0].facts["unseen_ja"]


@pytest.mark.parametrize(
    ("sighting", "weight"),
    [
        (asks("00:1e:42:00:00:01", "teltonika"), 0),
        (arp("10.20.30.77", "00:1e:42:00:00:01"), 2),  # a maker of cellular gateways
        (asks("4e:00:00:00:00:01", "android-8c1f"), 2),
        (asks("4e:00:00:00:00:02", "Yamada-no-iPhone"), 2),
        (asks("4e:00:00:00:00:03", vendor="android-dhcp-14"), 2),
        (asks("00:1c:73:00:00:07", "CT-CONSOLE"), 0),
    ],
)
def test_identity_hints_and_never_calls_alone(sighting: Sighting, weight: float) -> None:
    told = clues(sightings=[sighting])
    assert [w for host in told.values() for _, w in host] == ([weight] if weight else [])
    assert findings(HiddenLine(), [], [sighting], PLAN) == []


def test_a_listed_router_is_no_hint() -> None:
    listed = Asset(ip="10.20.30.77", mac="00:1e:42:00:00:01", role="network_device")
    plan = PLAN.model_copy(update={"assets": (listed,)})
    assert clues(sightings=[arp("10.20.30.77", "00:1e:42:00:00:01")], hospital=plan) == {}


# 5 several machines behind one address


def sent(ttl: int, n: int = 6, mac: str = PC_MAC, source: str = PC, **more: Any) -> list[Any]:
    return [
        flow(source, SERVER, 443, ttl_min=ttl, ttl_max=ttl, source_mac=mac, at_s=i, **more)
        for i in range(n)
    ]


SYN = {"flags": 2, "syn_window": 64240}


@pytest.mark.parametrize(
    ("flows", "weight"),
    [
        (sent(128) + sent(127), 2.0),
        (sent(64) + sent(62), 2.0),
        (sent(128, syn_layout=1, **SYN) + sent(64, syn_layout=2, **SYN), 1.5),
        (sent(128, syn_layout=1, **SYN) + sent(63, syn_layout=2, **SYN) + sent(127), 2.5),
        (sent(128) + sent(127, n=2), 0),  # a stray packet or two
        (sent(128) + sent(64), 0),  # a virtual machine with the same form, no SYN seen
        (sent(128) + sent(128), 0),
        (sent(128) + sent(127, mac="00:00:5e:00:01:0a"), 0),  # the same talk after its router
    ],
)
def test_hop_counts_and_systems_behind_one_address(flows: list[Any], weight: float) -> None:
    told = clues(flows)
    assert told.get(PC, []) == ([("nat", weight)] if weight else [])
    assert findings(HiddenLine(), flows, (), PLAN) == []  # VMs, WSL and Docker look like this


def test_load_balancers_and_gateways_forward_by_design() -> None:
    listed = Asset(ip=PC, role="gateway")
    plan = PLAN.model_copy(update={"assets": (listed,)})
    assert clues(sent(128) + sent(127), hospital=plan) == {}


def test_several_machines_and_a_leak_are_told() -> None:
    leak = flow("192.168.42.183", SERVER, source_mac=PC_MAC)
    found = findings(HiddenLine(), sent(128) + sent(127) + [leak], [arp(PC, PC_MAC)], PLAN)
    assert found[-1].facts["families"] == ["leak", "nat"]
    assert found[-1].score >= 80


# 6 habits lost


def live(
    days: int, last: dict[str, bool], others: dict[str, bool] | None = None
) -> dict[str, list[tuple[str, float]]]:
    """Two weeks of a PC and nine peers; `last` says what each does no more on the last day."""
    detector, memory, hosts = HiddenLine(), HiddenLineMemory(), HostTable(PLAN)
    for day in range(days + 2):
        flows: list[Any] = []
        gone = last if day == days else {}
        for n in range(10):
            ip = f"10.20.30.{50 + n}"
            lost = gone if n == 0 else ((others or {}) if day == days else {})
            flows += [flow(ip, SERVER, 445, at_s=day * DAY + i) for i in range(30)]
            if not lost.get("attempts"):
                flows += [
                    flow(ip, "20.0.0.9", 443, at_s=day * DAY + i, packets=3, reply_packets=0,
                         reply_bytes=0, state=1) for i in range(25)
                ]  # fmt: skip
            if not lost.get("updates"):
                flows.append(flow(ip, SERVER, 8530, at_s=day * DAY))
            if not lost.get("time"):
                flows.append(flow(ip, SERVER, 123, protocol=17, app="ntp", at_s=day * DAY))
        list(detector.find(window(flows, (), PLAN, hosts, start_s=day * DAY), memory))
    return noted(memory)


@pytest.mark.parametrize(
    ("lost", "weights"),
    [
        ({"attempts": True}, [1.5]),
        ({"updates": True}, [1.0]),
        ({"updates": True, "time": True}, [2.0, 2.0]),
        ({}, []),
    ],
)
def test_habits_that_end_are_noted(lost: dict[str, bool], weights: list[float]) -> None:
    assert [w for _, w in live(13, lost).get("10.20.30.50", [])] == weights


def test_what_the_peers_also_stop_is_a_rollout() -> None:
    assert live(13, {"attempts": True}, {"attempts": True}) == {}


def test_a_young_habit_says_nothing() -> None:
    assert live(5, {"attempts": True}) == {}


def test_names_resolved_but_not_reached_over_this_lan() -> None:
    detector, memory, hosts = HiddenLine(), HiddenLineMemory(), HostTable(PLAN)
    for day in range(6):
        flows: list[Any] = [flow(PC, SERVER, 445, at_s=day * DAY)]
        answers: list[Sighting] = []
        for n in range(25):
            peer = f"20.0.{day}.{n + 1}"
            answers.append(
                Dns(time_ns=START + (day * DAY + 1) * S, ip=SERVER, peer_ip=PC, transport="udp",
                    is_response=True, name=f"n{n}.example.com", query_type="A", answers=(peer,))
            )  # fmt: skip
            if day < 4:
                flows.append(flow(PC, peer, at_s=day * DAY + 2))
        start = window(flows[:1], answers, PLAN, hosts, start_s=day * DAY)
        list(detector.find(start, memory))
        later = window(flows[1:], (), PLAN, hosts, start_s=day * DAY + 30)
        list(detector.find(later, memory))
        list(detector.find(window((), (), PLAN, hosts, start_s=day * DAY + 600), memory))
    assert noted(memory)[PC] == [("absence", 1.5)]


# 7 clock and system


def challenge(build: str, at_s: float) -> Ntlm:
    return Ntlm(time_ns=START + int(at_s * S), ip=PC, message="challenge", build=build)


def test_a_build_that_jumps_without_the_update_server() -> None:
    jump = [challenge("10.0.19041", 0), challenge("10.0.19045", 9)]
    assert clues(sightings=jump)[PC] == [("clock", 1)]
    assert clues([flow(PC, SERVER, 8530)], jump) == {}
    assert clues(sightings=[challenge("10.0.19041", 0), challenge("10.0.19041", 9)]) == {}


# 8 control that begins nowhere


def control(source: str, target: str, at_s: float = 0, app: str = "rdp") -> Any:
    return flow(source, target, 3389, app=app, at_s=at_s, lasts_s=60)


def modality(ip: str) -> Hospital:
    return PLAN.model_copy(update={"assets": (Asset(ip=ip, role="modality"),)})


def test_a_modality_that_controls_a_server_though_nobody_controls_it() -> None:
    assert clues([control(PC, SERVER)], hospital=modality(PC))[PC] == [("inbound", 2)]
    assert clues([control(PC, SERVER)]) == {}  # a terminal has someone sitting at it


def test_control_with_a_cause_is_no_orphan() -> None:
    detector, memory, plan = HiddenLine(), HiddenLineMemory(), modality(PC)
    hosts = HostTable(plan)
    list(detector.find(window([control(SERVER, PC)], (), plan, hosts), memory))
    list(detector.find(window([control(PC, PEER, 60)], (), plan, hosts, 60), memory))
    assert noted(memory) == {}


def test_the_vendors_landing_host_is_no_orphan() -> None:
    line = RegisteredLine(id="L", vendor="v", line_type="SSL-VPN", landing=(PC,))
    plan = modality(PC).model_copy(update={"lines": (line,)})
    assert clues([control(PC, SERVER)], hospital=plan) == {}


def test_a_remote_tool_that_falls_silent() -> None:
    detector, memory, hosts = HiddenLine(), HiddenLineMemory(), HostTable(PLAN)
    asked = Dns(time_ns=START, ip=PC, peer_ip=SERVER, transport="udp", is_response=False,
                name="relay.net.anydesk.com", query_type="A")  # fmt: skip
    for at_s, said in ((0, [asked]), (1800, []), (4000, [])):
        flows = [flow(PC, SERVER, 445, at_s=at_s)]
        list(detector.find(window(flows, said, PLAN, hosts, start_s=at_s), memory))
        assert noted(memory).get(PC, []) == ([("inbound", 2)] if at_s == 4000 else [])


# 9 records of other monitors


@pytest.mark.parametrize(
    ("record", "score"),
    [
        (event("usb_modem", ip=PC, detail="HUAWEI Mobile"), 80),
        (event("mobile_line", ip=PC, detail="mobile use usb1 on"), 80),
        (event("new_mac", mac=PC_MAC, port_name="Gi1/0/5"), 0),
        (event("rogue_ssid", reporter_ip=SERVER, port_name="AndroidAP"), 0),
        (event("login", ip=PC), 0),
    ],
)
def test_records_of_a_modem_stand_alone(record: MonitorEvent, score: float) -> None:
    assert [f.score for f in findings(HiddenLine(), [], [record], PLAN)] == (
        [score] if score else []
    )


def test_a_record_finds_its_host_by_name() -> None:
    plan = PLAN.model_copy(update={"assets": (Asset(ip=PC, name="CT-1"),)})
    record = event("usb_network", host_name="ct-1", detail="Remote NDIS")
    assert list(clues(sightings=[record], hospital=plan)) == [PC]


# Benign causes and blind spots


@pytest.mark.parametrize(
    "address", ["172.17.0.1", "172.18.0.1", "192.168.56.1", "192.168.122.1", "169.254.1.1"]
)
def test_virtual_switches_of_a_pc_stay_quiet(address: str) -> None:
    said = NameAnnouncement(
        time_ns=START,
        ip=PC,
        mac=PC_MAC,
        protocol="mdns",
        operation="response",
        names=("pc.local",),
        addresses=(PC, address),
    )
    assert findings(HiddenLine(), [], [said], PLAN) == []


def test_cluster_heartbeats_and_vpn_clients_stay_quiet_when_listed() -> None:
    """A second network of a cluster or a VPN adapter, entered as a known second card."""
    listed = Asset(ip=PC, mac=PC_MAC, private_nics=("10.254.0.1", "100.64.9.9"))
    plan = PLAN.model_copy(update={"assets": (listed,)})
    said = NameAnnouncement(time_ns=START, ip=PC, mac=PC_MAC, protocol="nbns",
                            operation="multihomed_registration",
                            addresses=("10.254.0.1", "100.64.9.9"))  # fmt: skip
    leak = flow("10.254.0.1", "10.254.0.2", source_mac=PC_MAC)
    assert findings(HiddenLine(), [leak], [arp(PC, PC_MAC), said], plan) == []


@pytest.mark.parametrize("mac", ["00:00:5e:00:01:14", "00:00:0c:07:ac:01", "00:05:73:a0:00:01"])
def test_virtual_router_addresses_stay_quiet(mac: str) -> None:
    flows = [flow("20.1.2.3", PC, source_mac=mac), flow("10.9.9.9", PC, source_mac=mac)]
    assert findings(HiddenLine(), flows, [arp("10.20.30.1", mac)], PLAN) == []


def test_an_access_point_controller_that_speaks_for_many_stays_quiet() -> None:
    mac = "00:0b:86:00:00:01"
    flows = [flow(f"10.20.30.{n}", SERVER, source_mac=mac) for n in range(20, 40)]
    flows += [flow("172.31.98.1", SERVER, source_mac=mac)]
    assert findings(HiddenLine(), flows, (), PLAN) == []


def test_from_flow_exports_alone_a_sharing_range_is_told() -> None:
    exported = flow("192.168.137.5", SERVER)
    found = findings(HiddenLine(), [exported], (), PLAN)
    assert [(f.source, f.score) for f in found] == [("192.168.137.5", 50)]
    assert "SPAN" in found[0].facts["unseen_en"]
    assert findings(HiddenLine(), [flow("10.99.1.5", SERVER)], (), PLAN) == []  # an unlisted branch


def test_a_listener_alone_says_that_unicast_is_unseen() -> None:
    memory = HiddenLineMemory()
    said = [replace(arp(PC, PC_MAC), vlan=30)]
    list(HiddenLine().find(window((), said, PLAN), memory))
    assert memory.observability.to_json(START + S) == [
        {"vlan": 30, "broadcast": True, "unicast": False, "flow": False}
    ]
    assert "SPAN" in memory.observability.blind_spots(30, START + S).ja


def test_newer_lists_are_used(tmp_path: Path) -> None:
    row = "# version: test\n# source: test\noui\tvendor\tkind\n001c73\tNew Modems\tmodem\n"
    (tmp_path / "modem_ouis.tsv").write_text(row, encoding="utf-8")
    try:
        use_lists(tmp_path)
        assert clues(sightings=[arp(PC, PC_MAC)])[PC] == [("identity", 2)]
    finally:
        use_lists(None)
    assert clues(sightings=[arp(PC, PC_MAC)]) == {}


def test_weak_signs_stand_by_host_with_what_would_confirm_them() -> None:
    detector, memory = HiddenLine(), HiddenLineMemory()
    flows = sent(128) + sent(127)
    assert list(detector.find(window(flows, [arp(PC, PC_MAC)], PLAN), memory)) == []
    told = detector.notes(memory, START + 60 * S)["line_evidence"]
    assert [(h["host"], h["sum"], h["families"]) for h in told["hosts"]] == [(PC, 2.0, ["nat"])]
    assert told["hosts"][0]["confirm"]["ja"]
    assert {v["vlan"] for v in told["vlans"]} == {0}
