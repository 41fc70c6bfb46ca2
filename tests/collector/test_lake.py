"""The flow lake keeps flows by day and finds them again."""

from pathlib import Path

import numpy as np
import pytest

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE, FlowBatch, address_number
from collector.lake import Lake

DAY_NS = 86_400_000_000_000
NOON = 20_000 * DAY_NS + DAY_NS // 2


def flows_of(*rows: tuple[str, str, int, int]) -> FlowBatch:
    """(source, destination, port, first_ns) a row."""
    table = np.zeros(len(rows), FLOW_DTYPE)
    for row, (source, destination, port, first_ns) in zip(table, rows, strict=True):
        row["source"], row["destination"] = address_number(source), address_number(destination)
        row["destination_port"], row["first_ns"] = port, first_ns
        row["last_ns"] = row["reported_ns"] = first_ns + 1_000_000_000
        row["packets"] = row["reply_packets"] = 3
        row["state"], row["app"] = STATE_CODE["SF"], APP_CODE["smb"]
    return FlowBatch(table)


def test_finds_a_hosts_flows_newest_first(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(
        flows_of(("10.0.0.1", "10.0.0.2", 445, NOON), ("10.0.0.3", "10.0.0.1", 80, NOON + 5))
    )
    lake.append(flows_of(("10.0.0.9", "2001:db8::1", 443, NOON + DAY_NS)))
    found = lake.hunt(host="10.0.0.1")
    assert [(f["source"], f["destination_port"]) for f in found] == [
        ("10.0.0.3", 80),
        ("10.0.0.1", 445),
    ]
    assert found[0]["app"] == "smb"
    assert found[0]["state"] == "SF"
    for written in ("2001:db8::1", "2001:DB8:0::1"):
        assert lake.hunt(host=written)[0]["source"] == "10.0.0.9"
    assert len(list(tmp_path.glob("day=*"))) == 2


def test_writing_the_same_flows_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        lake = Lake(tmp_path)
        lake.append(flows_of(("10.0.0.1", "10.0.0.2", 445, NOON)))
        lake.flush()
    assert len(Lake(tmp_path).hunt(host="10.0.0.1")) == 1


def test_days_past_their_time_are_removed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(
        flows_of(("10.0.0.1", "10.0.0.2", 445, NOON), ("10.0.0.1", "10.0.0.2", 445, NOON + DAY_NS))
    )
    lake.flush()
    lake.keep_within(NOON + DAY_NS, 1 << 40)
    assert len(lake.hunt(host="10.0.0.1")) == 1
    assert not lake.shed


def test_past_its_room_the_oldest_flows_go_and_are_counted(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for day in range(4):
        for minute in range(5):
            at = NOON + day * DAY_NS + minute * 60_000_000_000
            lake.append(flows_of(*(("10.0.0.1", "10.0.0.2", n, at) for n in range(100))))
            lake.flush()
    files = list(tmp_path.glob("*/*.parquet"))
    room = sum(file.stat().st_size for file in files) // 2
    lake.keep_within(0, room)
    left = list(tmp_path.glob("*/*.parquet"))
    assert 0 < sum(file.stat().st_size for file in left) <= room
    assert sum(lake.shed.values()) == 100 * (20 - len(left))
    kept = lake.hunt(host="10.0.0.1", limit=9999)
    assert len(kept) == 100 * len(left)
    assert min(f["first_ns"] for f in kept) >= NOON + DAY_NS  # the oldest went first
    lake.keep_within(0, 0)
    assert not list(tmp_path.glob("day=*"))


def test_a_hunt_in_an_empty_lake_finds_nothing(tmp_path: Path) -> None:
    assert Lake(tmp_path).hunt(host="10.0.0.1") == []


@pytest.mark.parametrize(
    ("field", "value", "count"), [("port", 445, 1), ("peer", "10.0.0.2", 1), ("app", "rdp", 0)]
)
def test_hunts_narrow_down(tmp_path: Path, field: str, value: object, count: int) -> None:
    lake = Lake(tmp_path)
    lake.append(flows_of(("10.0.0.1", "10.0.0.2", 445, NOON), ("10.0.0.1", "10.0.0.3", 80, NOON)))
    assert len(lake.hunt(host="10.0.0.1", **{field: value})) == count  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", [0, 3, 0.5, -1])
def test_a_damaged_file_stands_aside_and_the_rest_is_found(tmp_path: Path, kept: float) -> None:
    """Empty, cut, or (-1) damaged inside a page that its footer says is whole."""
    lake = Lake(tmp_path)
    for minute in range(3):
        lake.append(flows_of(("10.0.0.1", "10.0.0.2", 445, NOON + minute * 60_000_000_000)))
        lake.flush()
    bad = sorted(tmp_path.glob("day=*/*.parquet"))[1]
    whole = bad.read_bytes()
    if kept >= 0:
        bad.write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    else:
        bad.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    assert len(lake.hunt(host="10.0.0.1")) == 2
    assert lake.shed == {"lake: flows in damaged files": 1}
    assert [f.suffix for f in bad.parent.iterdir() if f.name.startswith(bad.name)] == [".damaged"]
    assert len(Lake(tmp_path).hunt(host="10.0.0.1")) == 2
    lake.keep_within(NOON + 2 * DAY_NS, 1 << 40)
    assert not list(tmp_path.iterdir())


def test_flows_of_several_sensors_keep_theirs(tmp_path: Path) -> None:
    """An interface and a flow listener hand over to one lake, each with a table of its own."""
    lake = Lake(tmp_path)
    for port, sensor in ((80, "core"), (443, "ward"), (445, "core")):
        rows = flows_of(("10.0.0.1", "10.0.0.2", port, NOON)).rows
        lake.append(FlowBatch(rows, (sensor,)))
    found = {f["destination_port"]: f["sensor"] for f in lake.hunt(host="10.0.0.1")}
    assert found == {80: "core", 443: "ward", 445: "core"}


def test_what_others_put_beside_the_days_is_left_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(flows_of(("10.0.0.1", "10.0.0.2", 445, NOON)))
    (tmp_path / "day=old").mkdir()
    (tmp_path / "day=old" / "notes.parquet").touch()
    assert len(lake.hunt(host="10.0.0.1")) == 1
    lake.keep_within(NOON + 9 * DAY_NS, 1 << 40)
    assert [path.name for path in tmp_path.iterdir()] == ["day=old"]
