"""Day-0 set-up: what traffic proposes is right, says why, and is used once confirmed."""

from __future__ import annotations

import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from api.configuration import ConfigurationError, read_configuration
from collector.sightings import Arp, Dcerpc, Dhcp
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lateral.rpc_rules import DRSUAPI
from detector.ledger import read_ledger
from detector.setup.confirm import PlanFault, confirm_plan, confirmed_plan, read_plan
from detector.setup.learner import SetupLearner
from detector.setup.proposal import Proposal, propose
from detector.store import Store
from tests.detector.lines_windows import START, flow, window

ROUTER, SERVER_MAC = "00:12:e2:00:00:01", "00:1c:73:00:80:10"


def pc(n: int) -> str:
    return f"00:1c:73:00:20:{n:02x}"


def arp(ip: str, mac: str, target: str) -> Arp:
    return Arp(time_ns=START, vlan=20, mac=mac, ip=ip, operation=1, sender_mac=mac, sender_ip=ip,
               target_mac="", target_ip=target)  # fmt: skip


def lease(server: str, leased: str, router: str, **fields: Any) -> Dhcp:
    return Dhcp(time_ns=START, vlan=20, ip=server, message="ack", server_id=server, your_ip=leased,
                client_mac=pc(1), routers=(router,), **fields)  # fmt: skip


def hospital_day() -> tuple[list[Any], list[Any]]:
    """A ward of a /23 behind a router, a server segment with Internet, and a phone that leases."""
    flows: list[Any] = []
    sightings: list[Any] = []
    for n in range(10, 40):
        ip = f"10.20.2{n % 2}.{n}"
        to_server = {"source_mac": pc(n), "destination_mac": ROUTER, "vlan": 20}
        flows.append(flow(ip, "10.20.80.10", 445, app="smb", **to_server))
        flows.append(flow(ip, "10.20.80.53", 53, app="dns", protocol=17, **to_server))
        # The same packets once more behind the router, as a core switch's mirror port shows them.
        flows.append(flow(ip, "10.20.80.10", 445, app="smb", source_mac=ROUTER, vlan=80,
                          destination_mac=SERVER_MAC))  # fmt: skip
        sightings += [arp(ip, pc(n), "10.20.20.1"), arp(ip, pc(n), "10.20.21.30")]
        sightings.append(lease("10.20.80.12", ip, "10.20.20.1"))
    sightings.append(arp("10.20.20.1", ROUTER, "10.20.20.10"))
    sightings.append(lease("192.168.43.1", "192.168.43.20", "192.168.43.1"))
    web = {"vlan": 80, "destination_mac": ROUTER, "source_mac": SERVER_MAC}
    flows += [flow("10.20.80.10", f"20.0.0.{n}", **web) for n in range(1, 9)]
    return flows, sightings


def proposed(flows: list[Any], sightings: list[Any], lines: Any = ()) -> Proposal:
    plan = Hospital()
    hosts, learner = HostTable(plan), SetupLearner()
    learner.observe(window(flows, sightings, plan, hosts))
    return propose(learner, hosts, lines)


def test_segments_gateways_and_leases_are_found_with_their_evidence() -> None:
    proposal = proposed(*hospital_day())
    by_vlan = {s.segment.vlan: s for s in proposal.segments}
    ward, servers = by_vlan[20].segment, by_vlan[80].segment
    assert ward.prefixes == (ip_network("10.20.20.0/23"),)
    assert (ward.gateway_macs, ward.dhcp_servers, ward.closed) == (
        (ROUTER,),
        ("10.20.80.12",),
        True,
    )
    assert servers.prefixes == (ip_network("10.20.80.0/24"),)
    assert (servers.gateway_macs, servers.closed) == ((ROUTER,), False)
    assert any("10.20.20.1" in why for why in by_vlan[20].why)
    assert len(proposal.segments) == 2


def test_a_phone_that_leases_is_doubted_and_not_proposed() -> None:
    proposal = proposed(*hospital_day())
    assert any("192.168.43.1" in doubt for doubt in proposal.doubts)
    assert all("192.168.43.1" not in s.segment.dhcp_servers for s in proposal.segments)


def test_a_short_look_is_said_to_be_short() -> None:
    assert any("短い" in doubt for doubt in proposed(*hospital_day()).doubts)


def test_parts_by_what_hosts_do() -> None:
    flows = [flow("10.1.1.9", f"10.1.{n // 200 + 1}.{n % 200 + 1}", 22, state=1, reply_packets=0)
             for n in range(150)]  # fmt: skip
    flows += [flow(f"10.1.2.{n}", "10.1.1.7", 3389, app="rdp") for n in (1, 2)]
    flows += [flow("10.1.1.7", f"10.1.3.{n}", 3389, app="rdp") for n in (1, 2, 3)]
    night = 3600 * 3  # 03:06 in Japan
    flows += [flow(f"10.1.2.{n}", "10.1.1.8", 445, at_s=night, bytes=200_000_000) for n in range(9)]
    roles = {a.ip: (a.role, a.note) for a in proposed(flows, []).assets}
    assert [roles[f"10.1.1.{n}"][0] for n in (9, 7, 8)] == ["scanner", "bastion", "backup"]
    assert all(roles[f"10.1.1.{n}"][1].startswith("自動推定: ") for n in (7, 8, 9))
    assert roles["10.1.2.1"][0] == "unknown"


def test_the_files_can_be_read_back_as_they_are() -> None:
    line = {"device_ip": "10.20.80.3", "device_mac": SERVER_MAC, "outside": "203.0.113.0/24",
            "direction": "in", "protocol": "ipsec", "label": "IPsec", "sessions": 3,
            "bytes_out": 5, "bytes_in": 7}  # fmt: skip
    proposal = proposed(*hospital_day(), lines=[line])
    files = proposal.files("第一病院", "Asia/Tokyo")
    assert read_plan(files["plan.toml"].decode()).segments == tuple(
        s.segment for s in proposal.segments
    )
    assert read_ledger(files["assets.csv"]) == (list(proposal.assets), [])
    assert proposal.lines[0].line_type == "拠点間VPN"
    assert proposal.lines[0].initiator == "vendor"


def test_a_confirmed_plan_is_used(tmp_path: Path) -> None:
    files = proposed(*hospital_day()).files("第一病院", "Asia/Tokyo")
    used = confirm_plan(tmp_path, files["plan.toml"].decode(), files["assets.csv"])
    assert used["segments"] == 2
    configuration = read_configuration(None).model_copy(update={"state_dir": tmp_path})
    hospital = configuration.with_confirmed_plan().hospital
    assert (hospital.name, len(hospital.segments)) == ("第一病院", 2)
    assert hospital.is_inside("10.20.21.7") and not hospital.is_inside("10.99.0.1")
    store = Store(tmp_path / "mimawari.db").open()
    assert len(store.ledger()) == used["assets"]
    store.close()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = ", "TOML"),
        ("[[segments]]\nname = 'a'\nprefixes = ['10.0.0.0/33']", "prefixes"),
        ("[[segments]]\nname = 'a'\nprefixes = ['10.0.0.0/24']\ncolour = 1", "colour"),
        ("name = 'x'", "there is none"),
        ("[[segments]]\nname='a'\nprefixes=['10.0.0.0/8']\n"
         "[[segments]]\nname='b'\nprefixes=['10.1.0.0/16']", "overlaps"),
    ],
)  # fmt: skip
def test_a_faulty_plan_changes_nothing(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(PlanFault, match=fault):
        confirm_plan(tmp_path, text)
    assert confirmed_plan(tmp_path) is None


def test_a_plan_damaged_afterwards_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("segments = 5")
    configuration = read_configuration(None).model_copy(update={"state_dir": tmp_path})
    with pytest.raises(ConfigurationError, match=r"plan\.toml"):
        configuration.with_confirmed_plan()


def test_evidence_stands_beside_each_segment() -> None:
    text = proposed(*hospital_day()).plan_toml()
    assert tomllib.loads(text)["segments"][0]["vlan"] in (20, 80)
    assert text.count("# ゲートウェイ") == 2


def test_who_fetches_the_directory_hour_by_hour_is_proposed_and_to_be_confirmed() -> None:
    def roles(hours: int) -> dict[str, tuple[str, str]]:
        fetched = [
            Dcerpc(time_ns=START + hour * 3600 * 1_000_000_000, ip="10.1.1.60", peer_ip="10.1.1.10",
                   packet="request", interface=DRSUAPI, operation=3)
            for hour in range(hours)
        ]  # fmt: skip
        flows = [flow("10.1.1.60", "10.1.1.10", 49667, app="dcerpc")]
        return {a.ip: (a.role, a.note) for a in proposed(flows, fetched).assets}

    role, why = roles(7)["10.1.1.60"]
    assert role == "directory_sync"
    assert "7 つの時間帯" in why and "確かめ" in why
    assert roles(2)["10.1.1.60"][0] == "unknown"
