"""What stops with a host is counted from the flows that were kept, of one host or of many."""

from pathlib import Path

from collector.apps import APP_CODE
from collector.lake import Lake
from detector.hospital import Hospital
from detector.isolation.dependencies import LakeDependencies
from tests.collector.test_lake import DAY_NS, NOON, flows_of

HOUR_NS = 3_600_000_000_000


def kept(folder: Path) -> Lake:
    """Five days of file sharing and printing, the last of it a minute before noon."""
    lake = Lake(folder)
    for day in range(5):
        at = NOON - day * DAY_NS
        shared = [("10.0.0.1", "10.0.0.2", 445, at - minute * 60 * 10**9) for minute in (1, 2, 3)]
        later = [("10.0.0.3", "10.0.0.1", 445, at + 2 * HOUR_NS)]
        printed = flows_of(("10.0.0.1", "10.0.0.4", 9100, at - 5 * HOUR_NS))
        printed.rows["app"] = APP_CODE["printer"]
        unanswered = flows_of(("10.0.0.1", "10.0.0.5", 445, at - HOUR_NS))
        unanswered.rows["reply_packets"] = 0
        for flows in (flows_of(*shared, *later), printed, unanswered):
            lake.append(flows)
    at = NOON - DAY_NS + HOUR_NS
    lake.append(flows_of(*(("10.0.0.1", "10.0.0.1", 445, at + n * 10**9) for n in range(5))))
    return lake


def test_what_stops_with_a_host(tmp_path: Path) -> None:
    [files, printing] = LakeDependencies(kept(tmp_path), Hospital())("10.0.0.1", NOON)
    assert (files.service, files.is_live, set(files.peers)) == (
        "ファイル共有", True, {"10.0.0.1", "10.0.0.2", "10.0.0.3"},
    )  # fmt: skip
    # Of the next eight hours: two o'clock on four days past, and five flows to itself on one.
    assert files.flows_8h == round((4 + 5) / 5)
    assert (printing.service, printing.is_live, printing.peers) == ("印刷", False, ("10.0.0.4",))


def test_many_hosts_read_at_once_are_told_as_if_each_were(tmp_path: Path) -> None:
    lake = kept(tmp_path)
    asked = [
        (ip, NOON - back)
        for ip in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.9.9.9")
        for back in (0, DAY_NS, 30 * DAY_NS)
    ]
    together = LakeDependencies(lake, Hospital())
    together.read_ahead([*asked, ("", NOON)])
    for ip, at_ns in asked:
        alone = LakeDependencies(lake, Hospital())(ip, at_ns)
        assert together(ip, at_ns) == alone
    assert together("10.0.0.2", NOON)
    assert not together("10.9.9.9", NOON)
