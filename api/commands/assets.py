"""`mimawari assets`: what was seen, and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import (
    AsJson,
    Config,
    State,
    configuration_of,
    kept_store,
    print_rows,
    store_of,
    tell_rows,
)

if TYPE_CHECKING:
    from api.configuration import Configuration
    from detector.switch_ports import PortEntry

app = typer.Typer(no_args_is_help=True, help="Assets seen and their ledger.")


@app.command("list")
def list_all(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Assets that were seen."""
    from api.asset_rows import compare_assets

    columns = (
        "ip", "mac", "name", "role", "care_class", "department", "is_listed", "port", "last_ns",
    )  # fmt: skip
    with kept_store(configuration_of(config, state)) as store:
        rows = [dict(row.seen) for row in compare_assets(store) if row.seen is not None]
        print_rows(rows, columns, as_json, "no asset has been seen")


@app.command("ports")
def ports(
    table: Path,
    switch: Annotated[str, typer.Option(help="name of the switch, if the table has none")] = "",
    config: Config = None,
    state: State = None,
) -> None:
    """Import a switch's MAC table: CSV, xlsx, as the switch prints it, or a saved snmpwalk -On."""
    from detector.sheet import Fault
    from detector.switch_ports import read_mac_table
    from detector.switch_walk import is_walk, read_walk

    text = table.read_bytes()[: 50 << 20].decode("utf-8", "replace")
    name, faults = switch or table.stem, list[Fault]()
    if is_walk(text):
        entries = read_walk(text, name)
    else:
        entries, faults = read_mac_table(table, name)
    _import(entries, configuration_of(config, state))
    tell_rows(len(entries), faults)


@app.command("ask-switches")
def ask_switches(switches: Path, config: Config = None, state: State = None) -> None:
    """Ask the listed switches by SNMP (read only) who hangs where; nothing asks by itself.

    The list is TOML: [[switches]] with name, address, credentials (a folder with an snmp.conf).
    """
    from api.switch_asking import AskingRefused, read_switches
    from api.switch_asking import ask_switches as ask

    configuration = configuration_of(config, state)
    with store_of(configuration) as store:
        hospital = store.hospital(configuration.hospital)
    try:
        answers = ask(read_switches(switches), hospital)
    except AskingRefused as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from fault
    for answer in answers:
        told = answer.fault or f"{len(answer.entries)} machines"
        typer.echo(f"{answer.switch.name}: {told}", err=True)
    _import([entry for answer in answers for entry in answer.entries], configuration)
    if any(answer.fault for answer in answers):
        raise typer.Exit(1)


def _import(entries: Sequence[PortEntry], configuration: Configuration) -> None:
    """Keep the entries and show the assets that they place."""
    from api.asset_rows import compare_assets, import_ports

    if not entries:
        return
    with store_of(configuration) as store:
        places = import_ports(store, entries)
        found = [r for r in compare_assets(store) if r.seen and r.seen["mac"] in places]
        known = [dict(row.seen) for row in found if row.seen]
        print_rows(known, ("ip", "mac", "name", "port"), False, "no asset of this table is seen")


@app.command("check")
def check(ledger: Path) -> None:
    """Read an asset ledger (CSV or xlsx) and name every faulty row."""
    from detector.ledger import read_ledger

    listed, faults = read_ledger(ledger)
    tell_rows(len(listed), faults)
