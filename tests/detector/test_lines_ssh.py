"""An SSH connection opened inside and worked from outside; files and shells in proper order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from detector.detection import Finding
from detector.hospital import Hospital, RegisteredLine, Segment
from detector.hosts import HostTable
from detector.lines.ssh_way_back import SshWayBack
from tests.detector.lines_windows import fill, flow, window

PC, VENDOR = "10.20.50.21", "198.51.100.61"
PLAN = Hospital(
    segments=(Segment(name="栄養", vlan=50, prefixes=(ip_network("10.20.50.0/24"),), closed=True),),
    lines=(RegisteredLine(id="L", vendor="v", line_type="リモートアクセスVPN", outside=(VENDOR,),
                          protocols=("ssh",), landing=(PC,)),),
)  # fmt: skip
#: A minute: packets and mean sizes out, then in; as the lab's programs send them.
BACK_IN = (201, 442, 286, 81)
SHELL = (270, 78, 190, 410)
SOCKS = (80, 93, 48, 230)
UPLOAD = (4000, 1420, 2100, 58)
SLOW_UPLOAD = (900, 1380, 1010, 62)
SMALL_FILES = (930, 260, 900, 108)
DOWNLOAD = (2100, 60, 4000, 1420)
KEEP_ALIVE = (4, 100, 4, 90)
BOTH_LARGE = (200, 700, 300, 400)
FEW = (12, 300, 20, 80)


def minutes(
    *kinds: Sequence[int], source: str = PC, destination: str = VENDOR, one_each: bool = False,
    **more: Any,
) -> Iterator[Any]:  # fmt: skip
    for at, (sent, out_size, got, in_size) in enumerate(kinds):
        yield flow(
            source, destination, 22, app="ssh", at_s=60 * at, packets=sent, bytes=sent * out_size,
            reply_packets=got, reply_bytes=got * in_size, part=at,
            **{"lasts_s": 56, "source_port": 50000 + at * one_each, **more},
        )  # fmt: skip


def found(flows: Iterator[Any], hospital: Hospital = PLAN) -> list[Finding]:
    detector, hosts = SshWayBack(), HostTable(hospital)
    memory, told = detector.remember(), []
    for at, row in enumerate(flows):
        told += detector.find(window([row], (), hospital, hosts, start_s=60 * at), memory)
    for finding in told:
        assert fill(detector, finding)
    return told


def test_three_minutes_of_work_from_outside_are_told_once_even_on_a_registered_line() -> None:
    told = found(minutes(BACK_IN, KEEP_ALIVE, BACK_IN, KEEP_ALIVE, BACK_IN, BACK_IN))
    assert [(f.source, f.targets, f.facts["minutes"]) for f in told] == [(PC, (VENDOR,), 3)]
    assert [f.score for f in found(minutes(*[BACK_IN] * 3), Hospital())] == [75]


def test_two_minutes_and_other_connections_do_not_add_up() -> None:
    assert found(minutes(BACK_IN, BACK_IN)) == []
    assert found(minutes(*[BACK_IN] * 5, one_each=True)) == []


@pytest.mark.parametrize(
    "minute",
    [SHELL, SOCKS, UPLOAD, SLOW_UPLOAD, SMALL_FILES, DOWNLOAD, KEEP_ALIVE, BOTH_LARGE, FEW],
)
def test_what_ssh_is_for_stays_quiet(minute: tuple[int, ...]) -> None:
    assert found(minutes(*[minute] * 20)) == []


def test_a_vendor_who_comes_in_and_work_within_the_house_are_other_matters() -> None:
    assert found(minutes(*[BACK_IN] * 5, source=VENDOR, destination=PC)) == []
    assert found(minutes(*[BACK_IN] * 5, destination="10.20.50.22")) == []
    # Seen from the middle on, and turned round: port 22 is the server's.
    assert found(minutes(*[BACK_IN] * 5, source_port=22)) == []


def test_exports_of_whole_connections_and_samples_say_nothing() -> None:
    assert found(minutes(*[BACK_IN] * 5, lasts_s=1800)) == []
    assert found(minutes(*[BACK_IN] * 5, sampling=100)) == []
