"""`mimawari assets`: what was seen, and the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from api.asset_rows import compare_assets

    columns = (
        "ip", "mac", "name", "role", "care_class", "department", "is_listed", "port", "last_ns",
    )  # fmt: skip
    with store_of(configuration_of(config, state)) as store:
        rows = [dict(row.seen) for row in compare_assets(store) if row.seen is not None]
        print_rows(rows, columns, as_json, "no asset has been seen")


@app.command("ports")
def ports(
    table: Path,
    switch: Annotated[str, typer.Option(help="name of the switch, if the table has none")] = "",
    config: Config = None,
    state: State = None,
) -> None:
    """Import a switch's MAC table (CSV, xlsx, or as it prints it): the port of each asset."""
    from api.asset_rows import compare_assets, import_ports
    from detector.switch_ports import read_mac_table

    entries, faults = read_mac_table(table, switch or table.stem)
    if entries:
        with store_of(configuration_of(config, state)) as store:
            places = import_ports(store, entries)
            found = [r for r in compare_assets(store) if r.seen and r.seen["mac"] in places]
            known = [dict(row.seen) for row in found if row.seen]
            print_rows(
                known, ("ip", "mac", "name", "port"), False, "no asset of this table is seen"
            )
    tell_rows(len(entries), faults)


@app.command("check")
def check(ledger: Path) -> None:
    """Read an asset ledger (CSV or xlsx) and name every faulty row."""
    from detector.ledger import read_ledger

    listed, faults = read_ledger(ledger)
    tell_rows(len(listed), faults)
