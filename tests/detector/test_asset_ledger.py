"""§6.1: what is seen against the asset ledger."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from collector.sightings import Arp, Dhcp, Ntlm, Sighting
from detector.detection import Finding
from detector.hospital import Asset, Hospital, RegisteredLine, Segment
from detector.hosts import HostTable
from detector.ledger_check import differs_in_os, is_remotely_maintained
from detector.lines.asset_ledger import AssetLedger
from tests.detector.lines_windows import START, S, fill, flow, window

SEGMENTS = (
    Segment(name="放射線", vlan=30, prefixes=(ip_network("10.20.30.0/24"),), closed=True,
            dhcp_servers=("10.20.30.2",)),
    Segment(name="事務", vlan=40, prefixes=(ip_network("10.20.40.0/24"),)),
)  # fmt: skip
CT = Asset(ip="10.20.30.51", mac="00:1c:73:00:00:51", name="CT-1", os="Windows 10", vlan=30,
           maintenance="オンサイト保守", vendor="A社")  # fmt: skip
SERVER = Asset(ip="10.20.30.10", mac="00:1c:73:00:00:10")
PC = "10.20.30.77"
DAY = 86_400


def found(
    flows: list[Any],
    sightings: list[Sighting] | None = None,
    assets: tuple[Asset, ...] = (CT, SERVER),
    lines: tuple[RegisteredLine, ...] = (),
) -> list[Finding]:
    """What is told within three minutes."""
    plan = Hospital(segments=SEGMENTS, assets=assets, lines=lines)
    detector, hosts = AssetLedger(), HostTable(plan)
    memory = detector.remember()
    told = list(detector.find(window(flows, sightings or [], plan, hosts), memory))
    told += detector.find(window([], [], plan, hosts, start_s=180), memory)
    assert all(fill(detector, f) for f in told)
    return told


def verdicts(*args: Any, **more: Any) -> list[tuple[str, str, float]]:
    return [(f.variant, f.source, f.score) for f in found(*args, **more)]


def speaks(ip: str, mac: str = "", port: int = 443, **more: Any) -> Any:
    return flow(ip, more.pop("to", SERVER.ip), port, source_mac=mac, **more)


def arp(ip: str, mac: str, at_s: float = 0) -> Arp:
    return Arp(time_ns=START + int(at_s * S), mac=mac, ip=ip, operation=1, sender_mac=mac,
               sender_ip=ip, target_mac="", target_ip=ip)  # fmt: skip


def test_without_a_ledger_nothing_is_compared() -> None:
    assert verdicts([speaks(PC)], assets=()) == []


def test_what_is_listed_and_as_listed_is_quiet() -> None:
    assert verdicts([speaks(CT.ip, CT.mac, vlan=30), speaks(SERVER.ip, SERVER.mac, to=CT.ip)]) == []


@pytest.mark.parametrize(
    ("flows", "score"),
    [
        ([speaks(PC)], 55),
        ([speaks("10.20.40.9")], 35),
        ([speaks(PC, app="rdp", port=3389)], 75),
        ([speaks(PC, to=f"10.20.30.{n}") for n in range(100, 107)], 75),
        ([speaks("192.168.9.9", to=PC)], None),  # not inside, another detector's matter
    ],
)
def test_an_unlisted_machine_weighs_by_where_it_is_and_what_it_does(
    flows: list[Any], score: float | None
) -> None:
    told = [(v, s) for v, _, s in verdicts(flows) if v == "unlisted"]
    assert told == ([("unlisted", score)] if score else [])


def test_an_unlisted_machine_is_heard_by_broadcasts_alone() -> None:
    assert verdicts([], [arp(PC, "00:1c:73:00:00:77")]) == [("unlisted", PC, 55)]


def test_what_the_plan_or_the_register_names_is_no_stranger() -> None:
    line = RegisteredLine(id="L", vendor="v", line_type="SSL-VPN", landing=("10.20.30.128/29",))
    assert verdicts([speaks("10.20.30.130")], lines=(line,)) == []
    assert verdicts([speaks("10.20.30.2")]) == []


def test_where_most_are_unlisted_the_gap_is_told_once_a_day() -> None:
    told = verdicts([speaks(f"10.20.30.{n}", f"00:1c:73:00:01:{n}") for n in range(60, 90)])
    assert {v for v, *_ in told} == {"unlisted_many"}
    assert {s for _, s, _ in told} == {"10.20.30.0/24"}


def test_a_known_machine_under_another_address_has_moved() -> None:
    assert verdicts([speaks(PC, CT.mac)]) == [("moved", PC, 30)]


@pytest.mark.parametrize(
    ("flows", "sightings", "expected"),
    [
        ([speaks(CT.ip, "00:1c:73:00:00:99")], [], [("mac", 50)]),
        ([speaks(CT.ip, CT.mac, vlan=40)], [], [("vlan", 50)]),
        ([speaks(CT.ip, CT.mac)], [Ntlm(time_ns=START, ip=CT.ip, message="challenge",
                                        build="6.1.7601")], [("os", 30)]),
        ([speaks(CT.ip, CT.mac)], [Dhcp(time_ns=START, message="ack", client_mac=CT.mac,
                                        your_ip=CT.ip, host_name="YAMADA-PC")], [("name", 35)]),
        ([speaks(CT.ip, CT.mac)], [Dhcp(time_ns=START, message="ack", client_mac=CT.mac,
                                        your_ip=CT.ip, host_name="ct-1.hosp.example")], []),
    ],
)  # fmt: skip
def test_every_difference_is_told(
    flows: list[Any], sightings: list[Sighting], expected: list[tuple[str, float]]
) -> None:
    assert [(v, s) for v, _, s in verdicts(flows, sightings)] == expected


def test_a_routers_mac_is_nobodys_change_of_card() -> None:
    router = "00:12:e2:00:00:01"
    flows = [speaks(f"10.20.40.{n}", router) for n in range(1, 8)] + [speaks(CT.ip, router)]
    assert not {v for v, *_ in verdicts(flows)} & {"mac", "vlan", "moved"}


def test_a_second_card_that_is_listed_is_quiet() -> None:
    listed = CT.model_copy(update={"private_nics": ("00:1c:73:00:00:99",)})
    assert verdicts([speaks(CT.ip, "00:1c:73:00:00:99")], assets=(listed, SERVER)) == []


def test_two_machines_that_take_turns_for_one_address() -> None:
    turns = [arp(CT.ip, m, n) for n, m in enumerate([CT.mac, "00:1c:73:00:00:99"] * 3)]
    assert ("duplicate", CT.ip, 45) in verdicts([], turns)
    once = [arp(CT.ip, CT.mac), arp(CT.ip, "00:1c:73:00:00:99", 1)]  # a replacement
    assert "duplicate" not in {v for v, *_ in verdicts([], once)}
    cluster = [arp(CT.ip, m, n) for n, m in enumerate([CT.mac, "00:00:5e:00:01:01"] * 3)]
    assert "duplicate" not in {v for v, *_ in verdicts([], cluster)}


def test_retired_but_alive() -> None:
    gone = CT.model_copy(update={"is_retired": True})
    assert verdicts([speaks(CT.ip, CT.mac)], assets=(gone, SERVER)) == [("retired", CT.ip, 60)]


def test_remote_maintenance_that_the_ledger_denies() -> None:
    tool = flow(CT.ip, "198.51.100.9", app="anydesk", source_mac=CT.mac)
    assert ("maintenance", CT.ip, 60) in verdicts([tool])
    remote = CT.model_copy(update={"maintenance": "リモート保守あり(A社)"})
    assert verdicts([tool], assets=(remote, SERVER)) == []


def test_what_is_not_seen_for_a_month_is_told_by_segment() -> None:
    plan = Hospital(segments=SEGMENTS, assets=(CT, SERVER, Asset(ip="10.20.40.9")))
    detector, hosts = AssetLedger(), HostTable(plan)
    memory, told = detector.remember(), []
    for day in range(70):
        flows = [speaks(SERVER.ip, SERVER.mac, to="10.20.30.11", at_s=day * DAY)]
        told += list(detector.find(window(flows, [], plan, hosts, start_s=day * DAY), memory))
    missing = [f for f in told if f.variant == "missing"]
    # The office, of which the sensor sees nothing, is not told.
    assert {f.targets for f in missing} == {(CT.ip,)}
    assert len(missing) == 2


@pytest.mark.parametrize(
    ("listed", "build", "differs"),
    [
        ("Windows 10 IoT Enterprise", "10.0.19041", False), ("Windows 10", "10.0.22621", True),
        ("Windows Server 2019", "10.0.17763", False), ("Windows 7", "6.1.7601", False),
        ("Windows Server 2012 R2", "6.3.9600", False), ("Linux", "6.1.0", False),
        ("Windows", "6.1.7601", False), ("WindowsXP", "5.1.2600", False), ("", "10.0.1", False),
        ("Windows 11", "10.0.19041", True),
    ],
)  # fmt: skip
def test_systems_by_their_build(listed: str, build: str, differs: bool) -> None:
    assert differs_in_os(build, Asset(ip="10.0.0.1", os=listed)) is differs


@pytest.mark.parametrize(
    ("text", "says"),
    [("リモート保守あり", True), ("リモート保守なし", False), ("オンサイト", False), ("", None),
     ("A社", None), ("無", False), ("遠隔(VPN)", True)],
)  # fmt: skip
def test_what_the_ledger_says_of_remote_maintenance(text: str, says: bool | None) -> None:
    assert is_remotely_maintained(Asset(ip="10.0.0.1", maintenance=text)) is says
