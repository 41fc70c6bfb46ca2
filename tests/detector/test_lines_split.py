"""EX-1, absence: names asked inside whose connections go another way; and who only seems to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from collector.sightings import Dns
from detector.hospital import Asset, Hospital, Segment
from detector.hosts import HostTable
from detector.lines.hidden_line import HiddenLine, HiddenLineMemory
from tests.detector.lines_windows import START, S, flow, window

PC, PC_MAC = "10.20.30.51", "00:1c:73:00:00:51"
DC, GATEWAY_MAC, PROXY = "10.20.80.10", "00:12:e2:00:00:01", "10.20.80.20"
PLAN = Hospital(
    timezone="UTC",
    segments=(
        Segment(name="放射線", vlan=30, prefixes=(ip_network("10.20.30.0/24"),), closed=True,
                gateway_macs=(GATEWAY_MAC,)),
        Segment(name="サーバ", vlan=80, prefixes=(ip_network("10.20.80.0/24"),),
                gateway_macs=(GATEWAY_MAC,)),
    ),
)  # fmt: skip
ASKING = flow(PC, DC, 53, source_mac=PC_MAC, destination_mac=GATEWAY_MAC)


def told(number: int, *, asker: str = PC, domain: str = "shop{}.example") -> Dns:
    return Dns(time_ns=START + number * S // 10, ip=DC, peer_ip=asker, transport="udp", vlan=30,
               is_response=True, name=f"www{number}.{domain.format(number)}", query_type="A",
               answers=(f"93.184.216.{number}",))  # fmt: skip


def serves(clients: int) -> list[Dns]:
    """The terminal answers questions of others."""
    answers = [
        replace(told(n), ip=PC, peer_ip=f"10.20.30.7{n}", answers=()) for n in range(clients)
    ]
    asks = [replace(a, ip=a.peer_ip, peer_ip=PC, is_response=False) for a in answers]
    return [said for both in zip(asks, answers, strict=True) for said in both]


NAMES = [told(n) for n in range(30)]


def scores(
    names: Sequence[Dns] = NAMES, flows: Sequence[Any] = (ASKING,), hospital: Hospital = PLAN,
    later: Sequence[Any] = (),
) -> list[float]:  # fmt: skip
    """What is told of the names once two and a half minutes have gone by."""
    detector, memory, hosts = HiddenLine(), HiddenLineMemory(), HostTable(hospital)
    found = list(detector.find(window(flows, names, hospital, hosts), memory))
    for start_s in (30, 60, 90, 120, 150):
        of = later if start_s == 30 else ()
        found += detector.find(window(of, (), hospital, hosts, start_s=start_s), memory)
    return [f.score for f in found]


def test_names_that_nobody_goes_to_are_told_in_the_digest() -> None:
    assert scores() == [50]
    assert scores([replace(n, answers=(f"2a00:1450::{i}",)) for i, n in enumerate(NAMES)]) == [50]


def test_answers_that_name_no_asker_stop_nothing() -> None:
    nobody = [replace(NAMES[0], peer_ip=ip) for ip in ("", "no address")]
    assert scores([*nobody, *NAMES]) == [50]


def test_an_answer_that_anybody_may_forge_makes_no_resolver() -> None:
    assert scores([*NAMES, serves(1)[1]]) == [50]
    assert scores([*NAMES, *serves(3)[1::2]]) == [50]  # nobody asked
    assert scores([*NAMES, *serves(2)]) == [50]


@pytest.mark.parametrize("answered", [0, 5])
def test_a_closed_terminal_tries_in_vain_and_an_open_one_goes(answered: int) -> None:
    """The attempt itself shows that its way out is this LAN."""
    tried = [
        flow(PC, f"93.184.216.{n}", reply_packets=answered, state=0, at_s=35) for n in range(5)
    ]
    assert scores(later=tried) == []


def test_a_connection_that_stood_before_counts_too() -> None:
    assert scores(flows=[ASKING, *(flow(PC, f"93.184.216.{n}") for n in range(4))]) == []


def test_a_systems_own_calls_are_of_few_domains() -> None:
    assert scores([told(n, domain="microsoft.example") for n in range(30)]) == []
    assert scores(NAMES[:19]) == []


def test_who_uses_a_proxy_resolves_for_its_script() -> None:
    proxied = flow(PC, PROXY, 8080, app="http_proxy")
    assert scores(flows=[ASKING, proxied]) == []


def test_where_the_sensor_does_not_see_the_first_hop_nothing_follows() -> None:
    """DNS is in the VLAN, or only its answers pass here: what goes to the gateway is not seen."""
    assert scores(flows=[flow(PC, "10.20.30.9", 53, source_mac=PC_MAC)]) == []
    assert scores(flows=[]) == []
    core_to_server = flow(PC, DC, 53, source_mac=GATEWAY_MAC, destination_mac="00:1c:73:00:00:10")
    assert scores(flows=[core_to_server]) == []


def test_a_resolver_and_an_open_segment_stay_quiet() -> None:
    assert scores([*NAMES, *serves(3)]) == []
    mail = PLAN.model_copy(update={"assets": (Asset(ip=PC, role="server"),)})
    assert scores(hospital=mail) == []  # it judges senders by their names
    console = PLAN.model_copy(update={"assets": (Asset(ip=PC, role="modality"),)})
    assert scores(hospital=console) == [50]
    segments = tuple(s.model_copy(update={"closed": False}) for s in PLAN.segments)
    assert scores(hospital=PLAN.model_copy(update={"segments": segments})) == []


def test_a_whole_vlan_that_seems_to_split_is_the_sensors_place() -> None:
    askers = [f"10.20.30.{n}" for n in range(51, 61)]
    names = [told(n, asker=a) for a in askers for n in range(30)]
    flows = [flow(a, DC, 53, source_mac=PC_MAC, destination_mac=GATEWAY_MAC) for a in askers]
    assert len(scores(names, flows)) < 5


def test_answers_inside_say_nothing() -> None:
    assert scores([replace(n, answers=(f"10.20.80.{i + 30}",)) for i, n in enumerate(NAMES)]) == []
