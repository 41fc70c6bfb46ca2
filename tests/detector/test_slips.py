"""Remote-maintenance slips: what one job over one line looked like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from collector.sightings import Ntlm
from detector.hospital import Asset, Hospital, RegisteredLine
from detector.hosts import HostTable
from detector.slips import MaintenanceSlip, SlipLog, slip_from_json
from detector.store import Store
from tests.detector.lines_windows import START, S, flow, window
from tests.detector.test_lines_register import MORNING, NIGHT, ROUTER, SEGMENTS, VENDOR, esp, line
from tests.detector.test_lines_usage import booking

LANDING, PACS, OTHER = "10.20.50.20", "10.20.70.10", "10.20.50.66"


def slips(
    steps: list[tuple[float, list[Any], list[Any]]], *lines: RegisteredLine, **more: Any
) -> list[MaintenanceSlip]:
    """The last state of each slip; a step is (second, flows, sightings)."""
    plan = Hospital(segments=SEGMENTS, lines=lines, **more)
    log, hosts, last = SlipLog(), HostTable(plan), {}
    for at, flows, sightings in steps:
        log.observe(window(flows, sightings, plan, hosts, start_s=at))
        last.update({s.id: s for s in log.take_changed()})
    return list(last.values())


def pooled(**fields: Any) -> RegisteredLine:
    return line(landing=("10.20.70.136/29",), allowed_targets=("10.20.50.0/24:3389",), **fields)


def visit(at: float, target: str = LANDING, port: int = 3389, **more: Any) -> Any:
    return flow("10.20.70.138", target, port, app="rdp", at_s=at, lasts_s=20, **more)


def test_a_job_through_a_pool_is_one_slip() -> None:
    login = Ntlm(time_ns=START + int(MORNING * S), ip="10.20.70.138", message="authenticate",
                 user="vendor01")  # fmt: skip
    told = slips(
        [
            (MORNING, [esp(MORNING), visit(MORNING)], [login]),
            (MORNING + 600, [visit(MORNING + 600)], []),
            (MORNING + 3600, [], []),
        ],
        pooled(),
    )
    assert len(told) == 1
    slip = told[0]
    assert (slip.line, slip.landed_as, slip.users) == ("L-2", ("10.20.70.138",), ("vendor01",))
    assert [(t.ip, t.port, t.connections, t.is_allowed) for t in slip.targets] == [
        (LANDING, 3389, 2, True)
    ]
    assert (slip.is_in_scope, slip.is_in_hours, slip.is_open) == (True, True, False)
    assert slip.last_ns - slip.first_ns == 620 * S
    assert slip_from_json(slip.to_json()) == slip


def test_the_server_a_line_lands_on_is_a_target_of_the_vendor() -> None:
    landing = ("10.20.70.136/29", LANDING)
    found = line(landing=landing, allowed_targets=(f"{LANDING}:3389",))
    told = slips([(MORNING, [esp(MORNING), visit(MORNING)], [])], found)
    assert [[t.ip for t in slip.targets] for slip in told] == [[LANDING]]


def test_what_the_hospital_fetches_itself_is_no_maintenance() -> None:
    steps = [(MORNING, [esp(MORNING), visit(MORNING)], [])]
    assert slips(steps, pooled(initiator="hospital")) == []
    assert len(slips(steps, pooled(initiator="vendor"))) == 1


def test_leaving_the_scope_stands_on_the_slip() -> None:
    told = slips([(MORNING, [visit(MORNING), visit(MORNING, OTHER, 445)], [])], pooled())
    assert [s.is_in_scope for s in told] == [False]
    assert [(t.ip, t.is_allowed) for t in told[0].targets] == [(LANDING, True), (OTHER, False)]


def test_night_work_needs_a_booking() -> None:
    step = [(NIGHT, [visit(NIGHT)], [])]
    assert [(s.is_in_hours, s.booking) for s in slips(step, pooled())] == [(False, "")]
    booked = slips(step, pooled(), bookings=(booking(-1, 2),))
    assert [(s.is_in_hours, s.booking) for s in booked] == [(True, "B-1")]


def test_two_jobs_are_two_slips() -> None:
    times = (MORNING, MORNING + 5000, MORNING + 10_000)
    assert len(slips([(t, [visit(t)], []) for t in times], pooled())) == 3


def test_a_tunnel_that_only_stands_is_no_job() -> None:
    keepalive = [(MORNING + n * 30, [esp(MORNING + n * 30, bytes=300, reply_bytes=300)], [])
                 for n in range(100)]  # fmt: skip
    assert slips(keepalive, line()) == []
    assert len(slips([(MORNING, [esp()], [])], line())) == 1


def test_a_landing_server_has_a_life_of_its_own() -> None:
    landed = line(device_ip="", landing=(LANDING,), protocols=("anydesk",),
                  allowed_targets=(f"{PACS}:104",), outside=(VENDOR,))  # fmt: skip
    own_life = flow(LANDING, OTHER, 445, app="smb", at_s=MORNING)
    assert slips([(MORNING, [own_life], [])], landed) == []
    tool = flow(LANDING, VENDOR, app="anydesk", at_s=MORNING, bytes=50_000)
    told = slips([(MORNING, [tool], []), (MORNING + 60, [
        flow(LANDING, PACS, 104, app="dicom", at_s=MORNING + 60)], [])], landed)  # fmt: skip
    assert [(s.peer, [t.ip for t in s.targets], s.is_in_scope) for s in told] == [
        (VENDOR, [PACS], True)
    ]


def test_what_any_machine_needs_is_within_the_scope() -> None:
    dns = Asset(ip="10.20.50.53", role="dns")
    told = slips([(MORNING, [visit(MORNING, "10.20.50.53", 53)], [])], pooled(), assets=(dns,))
    assert [s.is_in_scope for s in told] == [True]


def test_a_slip_that_grows_must_be_confirmed_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    first = slips([(MORNING, [visit(MORNING)], [])], pooled())
    store.save_slips(first)
    store.confirm_slip(first[0].id, "佐藤", 1, "立会い済み")
    store.save_slips(first)
    assert [c.confirmed_by for c in store.slips()] == ["佐藤"]
    grown = slips([(t, [visit(t)], []) for t in (MORNING, MORNING + 60)], pooled())
    store.save_slips(grown)
    assert [c.confirmed_by for c in store.slips(line="L-2")] == [""]
    assert ROUTER in store.slips()[0].to_json()["device"]
    store.close()


def test_bookings_join_the_hospital(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db").open()
    store.save_booking(booking(0, 1))
    configured = Hospital(segments=SEGMENTS, lines=(line(),))
    assert store.hospital(configured).bookings == (booking(0, 1),)
    assert store.hospital(configured).lines == configured.lines
    store.close()
