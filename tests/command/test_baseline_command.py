"""`mimawari baseline`: the chain is checked, a day is restored, and the act is in the audit."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.audit import Audit
from api.database import people_database
from detector.baselines.snapshots import Snapshots
from mimawari import app

DAY_NS = 86_400_000_000_000


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with snapshots of three days."""
    for day in range(3):
        (tmp_path / "edges.npz").write_bytes(f"learnt on day {day}".encode())
        Snapshots(tmp_path / "baselines").take(tmp_path / "edges.npz", (20_000 + day) * DAY_NS)
    (tmp_path / "memories.bin").write_bytes(b"later than that")
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["baseline", *words])
    return result.exit_code, result.output


def test_a_whole_chain_is_whole_and_a_changed_file_is_named(state: Path) -> None:
    code, said = run("verify", "--state", str(state))
    assert (code, "3 snapshots in an unbroken chain" in said) == (0, True)
    (state / "baselines" / "edges-2024-10-05.npz").write_bytes(b"taught by somebody else")
    code, said = run("verify", "--state", str(state))
    assert code == 1
    assert "edges-2024-10-05.npz was changed" in said
    assert run("restore", "2024-10-05", "--state", str(state))[0] == 2
    assert (state / "edges.npz").read_bytes() == b"learnt on day 2"


def test_a_day_is_restored_and_audited(state: Path) -> None:
    assert "2024-10-04" in run("list", "--state", str(state))[1]
    code, _ = run("restore", "2024-10-04", "--state", str(state))
    assert code == 0
    assert (state / "edges.npz").read_bytes() == b"learnt on day 0"
    assert (state / "edges.npz.before-restore").read_bytes() == b"learnt on day 2"
    assert not (state / "memories.bin").exists()
    database = people_database(state / "api.db").open()
    audit = Audit(database, lambda: 0)
    [entry] = audit.entries()
    assert (entry.action, entry.thing, entry.address) == (
        "baseline.restore", "2024-10-04", "command line",
    )  # fmt: skip
    assert audit.verify().is_whole
    database.close()


def test_a_day_that_is_not_there_names_those_that_are(state: Path) -> None:
    code, said = run("restore", "2023-01-01", "--state", str(state))
    assert code == 2
    assert "2024-10-04, 2024-10-05, 2024-10-06" in said
