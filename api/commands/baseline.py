"""`mimawari baseline`: what was learnt, its snapshots, whether they are whole, and the way back."""

from __future__ import annotations

import os
import pwd
import time
from typing import Annotated

import typer

from api.commands.options import AsJson, Config, State, configuration_of, kept_state, print_rows

app = typer.Typer(no_args_is_help=True, help="Snapshots of what was learnt.")


@app.command("list")
def list_all(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """The days that can be restored."""
    from detector.baselines.snapshots import Snapshots

    folder = kept_state(configuration_of(config, state)) / "baselines"
    rows = [
        {"day": link.day, "file": link.file, "sha256": link.sha256}
        for link in Snapshots(folder).links()
        if (folder / link.file).exists()
    ]
    print_rows(rows, ("day", "file", "sha256"), as_json, f"{folder}: no snapshot yet")


@app.command("verify")
def verify(config: Config = None, state: State = None) -> None:
    """Check every snapshot against the chain of hashes; exit status 1 where one does not fit."""
    from detector.baselines.snapshots import Snapshots

    folder = kept_state(configuration_of(config, state)) / "baselines"
    try:
        snapshots = Snapshots(folder)
        faults, links = snapshots.faults(), snapshots.links()
    except ValueError as fault:
        faults, links = [str(fault)], []
    for fault_told in faults:
        typer.echo(fault_told, err=True)
    if faults:
        raise typer.Exit(1)
    span = f", {links[0].day} to {links[-1].day}" if links else ""
    typer.echo(f"{folder}: {len(links)} snapshots in an unbroken chain{span}")


@app.command("restore")
def restore(
    day: Annotated[str, typer.Argument(help="as `mimawari baseline list` names it: 2026-11-22")],
    config: Config = None,
    state: State = None,
) -> None:
    """Go back to the baseline of a day. Stop the detector first; what is replaced stays beside it.

    What detectors remember between windows begins anew: it was learnt later than that day.
    """
    from api.audit import Audit
    from api.database import people_database
    from detector.baselines.snapshots import Snapshots
    from detector.opening import EDGES_FILE, MEMORIES_FILE

    folder = kept_state(configuration_of(config, state))
    try:
        link = Snapshots(folder / "baselines").restore(day, folder / EDGES_FILE)
    except (KeyError, ValueError) as fault:
        typer.echo(str(fault.args[0]), err=True)
        raise typer.Exit(2) from None
    memories = folder / MEMORIES_FILE
    if memories.exists():
        memories.replace(memories.with_suffix(".bin.before-restore"))
    database = people_database(folder / "api.db").open()
    try:
        person = pwd.getpwuid(os.getuid()).pw_name
        Audit(database, time.time_ns).write(
            "baseline.restore", link.day, "allowed",
            person=person, address="command line", details={"sha256": link.sha256},
        )  # fmt: skip
    finally:
        database.close()
    typer.echo(f"{folder / EDGES_FILE}: as of {link.day}; what was there is kept beside it")
