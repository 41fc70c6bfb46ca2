"""EX-2: bookings, weak lines, and what days of use show: volume, always on, dormant, ghost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collector.sightings import TlsCertificate
from detector.detection import Finding
from detector.hospital import Booking, Hospital, RegisteredLine
from detector.hosts import HostTable
from detector.lines.line_register import LineRegister
from tests.detector.lines_windows import START, S, fill, findings, flow, window
from tests.detector.test_lines_register import NIGHT, ROUTER, SEGMENTS, VENDOR, esp, line

DAY = 86_400


def booking(from_h: float, to_h: float, line_id: str = "L-2", **fields: Any) -> Booking:
    """Hours from START on."""
    at = datetime.fromtimestamp(START // S, UTC)
    return Booking(
        id="B-1", line=line_id, start=at + timedelta(hours=from_h), end=at + timedelta(hours=to_h),
        person="給食社 田中", purpose="定期点検", approver="情報システム 佐藤", **fields,
    )  # fmt: skip


def judged(
    bookings: tuple[Booking, ...], registered: RegisteredLine | None = None
) -> list[tuple[str, float]]:
    """Verdicts and scores of one session at night, at START."""
    registered = registered or line(windows=("booking",))
    plan = Hospital(segments=SEGMENTS, lines=(registered,), bookings=bookings)
    found = findings(LineRegister(), [esp(NIGHT)], hospital=plan)
    return [(f.variant, f.score) for f in found]


@pytest.mark.parametrize(
    ("booked", "verdict"),
    [
        ((), [("out_of_window", 72)]),
        ((booking(-1, 2),), []),
        ((booking(1, 2),), [("out_of_window", 40)]),  # announced, but an hour early
        ((booking(3, 4),), [("out_of_window", 72)]),
        ((booking(-1, 2, "L-9"),), [("out_of_window", 72)]),
        ((booking(-1, 2, is_cancelled=True),), [("out_of_window", 72)]),
    ],
)
def test_a_booking_opens_its_line_for_its_time(
    booked: tuple[Booking, ...], verdict: list[tuple[str, float]]
) -> None:
    assert judged(booked) == verdict


def test_a_booking_ends_after_it_starts_and_within_a_month() -> None:
    for hours in ((2, 1), (0, 24 * 40)):
        with pytest.raises(ValueError, match="within 31 days"):
            booking(*hours)


def test_bare_remote_desktop_and_old_tls_are_weak() -> None:
    open_line = line(protocols=("rdp",), windows=())
    plan = Hospital(segments=SEGMENTS, lines=(open_line,))
    rdp = flow(VENDOR, ROUTER, 3389, app="rdp")
    assert [f.variant for f in findings(LineRegister(), [rdp], hospital=plan)] == ["weak"]
    sslvpn = line(protocols=("sstp",), windows=())
    plan = Hospital(segments=SEGMENTS, lines=(sslvpn,))
    shown = TlsCertificate(time_ns=START, ip=VENDOR, peer_ip=ROUTER, subject="CN=gw", issuer="",
                           version="1.0")  # fmt: skip
    tunnel = flow(ROUTER, VENDOR, app="sstp")
    found = findings(LineRegister(), [tunnel], [shown], plan)
    assert [(f.variant, f.facts["weakness"]) for f in found] == [("weak", "TLS 1.0")]
    assert findings(LineRegister(), [tunnel], hospital=plan) == []


def lived(
    days: int, traffic: Any, registered: RegisteredLine, step_s: int = DAY // 4
) -> list[tuple[int, Finding]]:
    """(day, finding) over so many days; `traffic(day, second of day)` gives the flows."""
    detector, hosts = LineRegister(), None
    plan = Hospital(timezone="UTC", segments=SEGMENTS, lines=(registered,))
    hosts, memory = HostTable(plan), detector.remember()
    found: list[tuple[int, Finding]] = []
    midnight = 86_400 - (START // S) % 86_400  # START is not midnight
    for day in range(days):
        for second in range(0, DAY, step_s):
            at = midnight + day * DAY + second
            look = window(traffic(day, second, at), (), plan, hosts, start_s=at)
            found += [(day, f) for f in detector.find(look, memory)]
    for _, finding in found:
        fill(detector, finding)
    return found


def once(size: int) -> Any:
    return lambda day, second, at: [esp(at, bytes=size)] if second == 0 else []


def test_far_more_than_usual_is_told_on_the_same_day() -> None:
    def traffic(day: int, second: int, at: int) -> list[Any]:
        size = 400_000_000 if day == 20 else 12_000_000 + day * 100_000
        return [esp(at, bytes=size)] if second == 0 else []

    always = line(windows=())
    assert [(d, f.variant) for d, f in lived(22, traffic, always)] == [(20, "volume")]
    assert lived(22, once(12_000_000), always) == []


def test_an_on_request_line_that_is_up_all_day() -> None:
    def traffic(day: int, second: int, at: int) -> list[Any]:
        return [esp(at, bytes=900, reply_bytes=900, lasts_s=3600 * 6)]

    told = lived(6, traffic, line(windows=("booking",)))
    assert {f.variant for _, f in told} == {"always_on"}
    assert lived(6, traffic, line(windows=())) == []


def test_dormant_and_ghost_lines() -> None:
    told = lived(200, lambda d, s, at: once(5_000)(d, s, at) if d == 0 else [], line(windows=()),
                 step_s=DAY)  # fmt: skip
    assert [(d, f.variant) for d, f in told] == [(181, "dormant")]  # 180 whole days
    ghost = lived(40, lambda *_: [], line(windows=()), step_s=DAY)
    assert [(d, f.variant) for d, f in ghost] == [(30, "ghost")]


def test_a_registered_web_service_is_seen_though_it_is_no_tunnel() -> None:
    detector = LineRegister()
    cloud = line(device_ip="", outside=(VENDOR,), protocols=(), line_type="プロキシ経由")
    plan = Hospital(segments=SEGMENTS, lines=(cloud,))
    memory = detector.remember()
    web = flow("10.20.50.10", VENDOR, app="tls", at_s=36_000)
    assert list(detector.find(window([web], (), plan), memory)) == []
    seen = detector.observed_lines(memory)
    assert [(o["verdict"], o["registered_id"]) for o in seen] == [("matched", "L-2")]
