"""What commands share: their options, the settings, and how rows and faults are told."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from api.configuration import Configuration
    from detector.store import Store

Captures = Annotated[list[Path], typer.Argument(help="pcap, pcapng, .gz, .zst, or a folder")]
Config = Annotated[Path | None, typer.Option("--config", help="settings file (TOML)")]
State = Annotated[Path | None, typer.Option("--state", help="folder that keeps what was learned")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


def configuration_of(path: Path | None, state: Path | None) -> Configuration:
    from api.configuration import ConfigurationError, read_configuration

    try:
        configuration = read_configuration(path)
        if state:
            configuration = configuration.model_copy(update={"state_dir": state})
        return configuration.with_confirmed_plan()
    except ConfigurationError as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from None


@contextmanager
def store_of(configuration: Configuration) -> Iterator[Store]:
    """The state folder's database, for as long as the block runs."""
    from detector.store import Store

    store = Store(configuration.state_dir / "mimawari.db").open()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def state_folder(state: Path | None) -> Iterator[Path]:
    """The folder that was asked for, or one that goes when the command ends."""
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="mimawari-") as folder:
        yield Path(folder)


def print_rows(rows: Any, columns: tuple[str, ...], as_json: bool, nothing: str) -> None:
    from api.terminal import print_json_lines, print_table

    if as_json:
        print_json_lines(rows, sys.stdout)
    else:
        print_table(rows, columns, nothing)


def time_ns(told: str, default: int) -> int:
    return int(local_time(told, "UTC").timestamp() * 1e9) if told else default


def local_time(told: str, timezone: str) -> datetime:
    """A time; where it names no zone, in this one."""
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise typer.BadParameter(f"a time such as 2026-10-01T09:00, not {told!r}") from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))


def tell_faults(faults: Any, notes: Any) -> None:
    """Say what could not be read; exit status 1 if a whole input could not."""
    for note in notes:
        typer.echo(note, err=True)
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)


def tell_rows(count: int, faults: Any) -> None:
    typer.echo(f"{count} rows read")
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)
