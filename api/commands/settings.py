"""`mimawari config` and `mimawari data`: look at the settings, take new lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import Config, State, configuration_of

config_app = typer.Typer(no_args_is_help=True, help="Look at the settings.")
data_app = typer.Typer(no_args_is_help=True, help="Update the lists of names and addresses.")


@config_app.command("check")
def config_check(config: Annotated[Path, typer.Argument(help="settings file (TOML)")]) -> None:
    """Name every fault in a settings file."""
    configuration = configuration_of(config, None)
    typer.echo(f"{config}: no faults; {len(configuration.detectors())} detectors will run")


@data_app.command("update")
def data_update(file: Path, config: Config = None, state: State = None) -> None:
    """Take new lists (a zip or one TSV) into the state folder, after checking them."""
    from collector.data import DataFault, update_data

    configuration = configuration_of(config, state)
    try:
        taken = update_data(file, configuration.state_dir / "data")
    except DataFault as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from None
    for name in taken:
        typer.echo(f"{name}: taken")
