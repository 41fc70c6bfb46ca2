"""EX-2 and NX: lines as seen against the register; closed segments against the Internet."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network
from typing import Any

import pytest

from collector.sightings import Dns, TlsClientHello
from detector.detection import Finding
from detector.hospital import Hospital, RegisteredLine, Segment
from detector.lines.line_register import LineRegister
from detector.lines.new_destination import NewDestination
from detector.lines.signatures import ToolSignatures
from tests.detector.lines_windows import START, S, fill, findings, flow, window

ROUTER, VENDOR = "10.20.70.3", "198.51.100.40"
# START is Monday, 16 June 2025, 00:06:40 in Japan.
NIGHT, MORNING = 0.0, 10 * 3600.0
SEGMENTS = (
    Segment(name="業者", prefixes=(ip_network("10.20.70.0/24"),)),
    Segment(name="栄養", prefixes=(ip_network("10.20.50.0/24"),), closed=True),
)


def line(**fields: Any) -> RegisteredLine:
    fields = {
        "id": "L-2", "vendor": "給食社", "line_type": "拠点間VPN", "device_ip": ROUTER,
        "outside": (VENDOR,), "protocols": ("ikev2", "esp"), "contract_end": date(2027, 3, 31),
        "windows": ("Mon-Sat 07:00-20:00",), "contact": "000-0000",
    } | fields  # fmt: skip
    return RegisteredLine(**fields)


def hospital(*lines: RegisteredLine) -> Hospital:
    return Hospital(segments=SEGMENTS, lines=lines)


def esp(at_s: float = MORNING, source: str = ROUTER, destination: str = VENDOR, **more: Any) -> Any:
    more = {"app": "esp", "protocol": 50, "bytes": 90_000, "at_s": at_s} | more
    return flow(source, destination, 0, **more)


def verdicts(flows: list[Any], *lines: RegisteredLine) -> list[tuple[str, str]]:
    found = findings(LineRegister(), flows, hospital=hospital(*lines))
    return [(f.variant, f.key) for f in found]


def test_a_line_that_keeps_to_the_register_is_quiet() -> None:
    assert verdicts([esp()], line()) == []
    assert verdicts([esp(source=VENDOR, destination=ROUTER)], line()) == []


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"contract_end": date(2025, 6, 15)}, "expired"),
        ({"outside": ("203.0.113.77",)}, "changed"),
        ({"device_ip": "10.20.70.99"}, "changed"),
        ({"outside": ("203.0.113.77",), "device_ip": "10.20.70.99"}, "unregistered"),
        ({"protocols": ("pptp",)}, "matched"),
    ],
)
def test_every_verdict(changes: dict[str, Any], verdict: str) -> None:
    told = [v for v, _ in verdicts([esp()], line(**changes))]
    assert told == ([] if verdict == "matched" else [verdict])


def test_use_outside_the_hours_is_told_of_the_vendor() -> None:
    found = findings(LineRegister(), [esp(NIGHT)], hospital=hospital(line()))
    assert [(f.variant, f.source, f.targets) for f in found] == [
        ("out_of_window", VENDOR, (ROUTER,))
    ]
    assert found[0].score == 72  # at night


def test_a_tunnel_that_only_stands_is_not_used() -> None:
    assert verdicts([esp(NIGHT, bytes=2000, reply_bytes=2000)], line()) == []


def test_where_pools_are_known_their_sessions_count() -> None:
    pooled = line(landing=("10.20.70.136/29",))
    visit = flow("10.20.70.138", "10.20.50.10", 3389, app="rdp", at_s=NIGHT)
    assert verdicts([esp(NIGHT)], pooled) == []
    found = findings(LineRegister(), [esp(NIGHT), visit], hospital=hospital(pooled))
    assert [(f.source, f.targets[0], f.key) for f in found] == [(VENDOR, ROUTER, "L-2")]
    assert verdicts([flow("10.20.70.138", "10.20.50.10", 3389, at_s=MORNING)], pooled) == []


def test_an_unregistered_tool_is_one_alert() -> None:
    pc = "10.20.50.10"
    asked = Dns(time_ns=START, ip=pc, peer_ip="10.20.80.53", transport="udp", is_response=False,
                name="relay.net.anydesk.com", query_type="A")  # fmt: skip
    hello = TlsClientHello(time_ns=START, ip=pc, peer_ip="203.0.113.9", sni="relay.net.anydesk.com")
    session = flow(pc, "203.0.113.9", app="anydesk")
    plan = hospital(line())
    found = findings(LineRegister(), [session], [asked, hello], plan)
    assert {(f.variant, f.source, f.key) for f in found} == {("unregistered", pc, "anydesk")}
    assert max(f.score * f.confidence for f in found) >= 70
    assert findings(ToolSignatures(), [session], [asked, hello], plan) == []


def test_a_registered_tool_is_quiet_even_by_name() -> None:
    tool = line(device_ip="10.20.50.10", outside=("*.anydesk.com",), protocols=("anydesk",))
    asked = Dns(time_ns=START, ip="10.20.50.10", peer_ip="10.20.80.53", transport="udp",
                is_response=False, name="relay.net.anydesk.com", query_type="A")  # fmt: skip
    hello = TlsClientHello(time_ns=START, ip="10.20.50.10", peer_ip="203.0.113.9",
                           sni="relay.net.anydesk.com")  # fmt: skip
    session = flow("10.20.50.10", "203.0.113.9", app="anydesk", at_s=MORNING)
    found = findings(LineRegister(), [session], [asked, hello], hospital(tool))
    assert [f.variant for f in found] == []


def test_lines_are_kept_even_without_a_register() -> None:
    detector, plan = LineRegister(), Hospital(segments=SEGMENTS)
    memory = detector.remember()
    for at_s in (0.0, 60.0):
        assert list(detector.find(window([esp(at_s)], hospital=plan), memory)) == []
    seen = detector.observed_lines(memory)
    assert [(o["device_ip"], o["protocol"], o["sessions"], o["verdict"]) for o in seen] == [
        (ROUTER, "ipsec", 2, "no_register")
    ]
    assert seen[0]["last_ns"] - seen[0]["first_ns"] == 61 * S
    assert detector.observed_lines(memory) == []


def test_a_grave_verdict_is_not_hidden_by_the_next_good_session() -> None:
    detector, plan = LineRegister(), hospital(line())
    memory = detector.remember()
    month_s = 31 * 86400.0
    told = []
    for at_s in (MORNING, NIGHT + 86400, MORNING + 86400, MORNING + 86400 + month_s):
        list(detector.find(window([esp(at_s)], hospital=plan), memory))
        told += [o["verdict"] for o in detector.observed_lines(memory)]
    assert told == ["matched", "out_of_window", "out_of_window", "matched"]


def test_one_line_with_several_addresses_at_one_place_is_one_line() -> None:
    detector, plan = LineRegister(), Hospital(segments=SEGMENTS)
    memory = detector.remember()
    flows = [esp(destination=f"203.0.113.{n}", app=a) for n, a in enumerate(["esp", "ikev2"], 5)]
    list(detector.find(window(flows, hospital=plan), memory))
    assert len(detector.observed_lines(memory)) == 1


def test_an_unknown_time_zone_is_named() -> None:
    odd = Hospital(segments=SEGMENTS, lines=(line(),), timezone="Asia/Tokio")
    detector = LineRegister()
    with pytest.raises(ValueError, match=r"hospital\.timezone"):
        list(detector.find(window([esp()], hospital=odd), detector.remember()))


# NX


def reached(*flows: Any, lines: tuple[RegisteredLine, ...] = ()) -> list[Finding]:
    return findings(NewDestination(), flows, hospital=hospital(*lines))


def test_an_answer_from_outside_to_a_closed_segment_is_told() -> None:
    found = reached(flow("10.20.50.10", "203.0.113.9", app="tls"))
    assert [(f.source, f.score) for f in found] == [("10.20.50.10", 75)]
    assert reached(flow("10.20.50.10", "203.0.113.9", app="tls", bytes=20_000))[0].score == 85


def test_attempts_are_told_once_a_week_at_low_weight() -> None:
    detector, plan = NewDestination(), hospital()
    memory = detector.remember()
    told = []
    for day in range(9):
        knock = flow("10.20.50.10", "203.0.113.9", at_s=day * 86400, reply_packets=0)
        told += list(detector.find(window([knock], hospital=plan), memory))
    assert [f.variant for f in told] == ["attempt", "attempt"]
    assert all(f.score == 30 and fill(detector, f) for f in told)


def test_open_segments_registered_places_and_tools_are_left_to_others() -> None:
    assert reached(flow("10.20.70.10", "203.0.113.9", app="tls")) == []
    assert reached(flow("10.20.50.10", "10.20.70.9", app="tls")) == []
    assert reached(flow("10.20.50.10", "203.0.113.9", app="anydesk")) == []
    updates = line(outside=("203.0.113.0/24",), protocols=("tls",))
    assert reached(flow("10.20.50.10", "203.0.113.9", app="tls"), lines=(updates,)) == []


def test_aggressive_mode_is_weak_although_the_contract_says_ikev1() -> None:
    def exchange(app: str) -> Any:
        return flow(ROUTER, VENDOR, 500, protocol=17, app=app, bytes=2_000, at_s=MORNING)

    agreed = line(protocols=("ikev1", "esp"))
    assert verdicts([exchange("ikev1")], agreed) == []
    assert [v for v, _ in verdicts([exchange("ikev1_aggressive")], agreed)] == ["weak"]


def test_ssh_out_of_the_house_that_nobody_registered_may_carry_anything() -> None:
    out = flow("10.20.50.21", "203.0.113.66", 443, app="ssh", at_s=MORNING)
    found = findings(LineRegister(), [out], hospital=hospital(line()))
    assert [(f.variant, f.techniques) for f in found] == [("unregistered", ("T1572",))]
