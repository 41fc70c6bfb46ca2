"""RT-generic: what behaves like a tunnel is told, what behaves like ordinary work is not."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from detector.detection import Finding
from detector.hospital import Hospital, RegisteredLine, Segment
from detector.hosts import HostTable
from detector.lines.unnamed_tunnel import UnnamedTunnel
from tests.detector.lines_windows import fill, flow, window

PC, PLACE = "10.20.30.51", "198.51.100.77"
PLAN = Hospital(segments=(Segment(name="放射線", prefixes=(ip_network("10.20.0.0/16"),)),))
CLOSED = Hospital(
    segments=(Segment(name="放射線", prefixes=(ip_network("10.20.0.0/16"),), closed=True),)
)

Minute = dict[str, int]
KEEP_ALIVE: Minute = {"packets": 3, "bytes": 240, "reply_packets": 3, "reply_bytes": 240}
SCREEN: Minute = {"packets": 300, "bytes": 270_000, "reply_packets": 200, "reply_bytes": 16_000}
UPLOAD: Minute = {"packets": 9000, "bytes": 12_000_000, "reply_packets": 4500,
                  "reply_bytes": 234_000}  # fmt: skip
TALK: Minute = {"packets": 3000, "bytes": 600_000, "reply_packets": 3000, "reply_bytes": 2_000_000}


def lived(minutes: list[Minute], hospital: Hospital = PLAN, users: int = 1) -> list[Finding]:
    """A connection minute by minute, among sixty hosts that work inside."""
    detector, hosts = UnnamedTunnel(), HostTable(hospital)
    memory, found = detector.remember(), []
    crowd = [flow(f"10.20.30.{n}", "10.20.80.1", 445) for n in range(1, 61)]
    crowd += [flow(f"10.20.30.{n}", "198.51.100.9") for n in range(1, users)]
    found += detector.find(window(crowd, (), hospital, hosts), memory)
    for n, minute in enumerate(minutes):
        row = flow(PC, PLACE, app="tls", at_s=60 * n, lasts_s=59, part=n, **minute)
        found += detector.find(window([row], (), hospital, hosts, start_s=60 * n), memory)
    assert all(fill(detector, f) for f in found)
    return found


def signs(minutes: list[Minute], *args: Any, **more: Any) -> list[str]:
    found = lived(minutes, *args, **more)
    return found[-1].facts["signs"] if found else []


def test_an_idle_reverse_tunnel_to_a_rare_place() -> None:
    """ssh -R or its like, wrapped in TLS and waiting: found after an hour."""
    found = lived([KEEP_ALIVE] * 70)
    assert found[-1].facts["signs"] == ["duration", "keep_alive", "rarity"]
    assert found[0].last_ns - found[0].first_ns < 61 * 60 * 10**9 + 60 * 10**9
    assert len(found) == 1


def test_somebody_works_a_screen_over_it() -> None:
    minutes = ([KEEP_ALIVE] * 5 + [SCREEN] * 3) * 10
    assert signs(minutes) == ["duration", "keep_alive", "rhythm", "rarity"]


@pytest.mark.parametrize(
    ("minutes", "users"),
    [
        ([KEEP_ALIVE] * 40, 1),  # not an hour
        ([KEEP_ALIVE] * 70, 30),  # a push service that many use
        ([UPLOAD] * 70, 1),  # a backup
        ([TALK] * 70, 1),  # a conference
        ([KEEP_ALIVE, UPLOAD, TALK] * 25, 10),
    ],
)
def test_ordinary_work_is_quiet(minutes: list[Minute], users: int) -> None:
    assert lived(minutes, users=users) == []


def test_registered_places_are_quiet() -> None:
    line = RegisteredLine(id="L", vendor="v", line_type="専用線", outside=("198.51.100.0/24",))
    assert lived([KEEP_ALIVE] * 70, PLAN.model_copy(update={"lines": (line,)})) == []


def test_in_a_closed_segment_two_signs_are_enough() -> None:
    found = lived([UPLOAD] * 70, CLOSED)
    assert [(f.facts["signs"], f.score) for f in found] == [(["duration", "rarity"], 65)]


def test_few_hosts_say_nothing_of_rarity() -> None:
    detector, hosts = UnnamedTunnel(), HostTable(PLAN)
    memory = detector.remember()
    for n in range(70):
        row = flow(PC, PLACE, at_s=60 * n, lasts_s=59, part=n, **KEEP_ALIVE)
        assert list(detector.find(window([row], (), PLAN, hosts, start_s=60 * n), memory)) == []


def test_sampled_input_is_refused() -> None:
    assert lived([{**KEEP_ALIVE, "sampling": 100}] * 70) == []


def test_a_flow_export_tells_sizes_only_and_says_so() -> None:
    detector, hosts = UnnamedTunnel(), HostTable(PLAN)
    memory = detector.remember()
    crowd = [flow(f"10.20.30.{n}", "10.20.80.1", 445) for n in range(1, 61)]
    whole = flow(PC, PLACE, lasts_s=5400, **{k: v * 60 for k, v in SCREEN.items()})
    found = list(detector.find(window([*crowd, whole], (), PLAN, hosts), memory))
    assert [f.facts["signs"] for f in found] == [["duration", "rhythm", "rarity"]]
    assert "flow export" in found[0].facts["signs_en"]
