"""`mimawari assets`: what was seen, and the ledger."""

from __future__ import annotations

from pathlib import Path

import typer

from api.commands.options import (
    AsJson,
    Config,
    State,
    configuration_of,
    print_rows,
    store_of,
    tell_rows,
)

app = typer.Typer(no_args_is_help=True, help="Assets seen and their ledger.")


@app.command("list")
def list_all(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Assets that were seen."""
    columns = ("ip", "mac", "name", "role", "care_class", "department", "is_listed", "last_ns")
    with store_of(configuration_of(config, state)) as store:
        print_rows(store.seen_assets(), columns, as_json, "no asset has been seen")


@app.command("check")
def check(ledger: Path) -> None:
    """Read an asset ledger (CSV or xlsx) and name every faulty row."""
    from detector.ledger import read_ledger

    listed, faults = read_ledger(ledger)
    tell_rows(len(listed), faults)
