"""What commands share: their options, the settings, and how rows and faults are told."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from api.configuration import Configuration
    from detector.store import Store

Captures = Annotated[
    list[Path], typer.Argument(help="pcap, pcapng, .gz, .zst, a folder, or - for a pipe")
]
Config = Annotated[Path | None, typer.Option("--config", help="settings file (TOML)")]
State = Annotated[Path | None, typer.Option("--state", help="folder that keeps what was learned")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
_STDIN: Final = Path("/dev/stdin")


@contextmanager
def whole_captures(captures: list[Path]) -> Iterator[list[Path]]:
    """The captures that were named; what comes through a pipe (-) is read to its end first."""
    from collector.capture.finding import holds_captures

    for folder in filter(Path.is_dir, captures):
        if not holds_captures(folder):
            raise typer.BadParameter(
                f"{folder}: no capture in this folder (.pcap, .pcapng, .cap, .gz, .zst, .log)"
            )
    captures = [_STDIN if path == Path("-") else path for path in captures]
    if not any(map(_is_pipe, captures)):
        yield captures
        return
    with tempfile.TemporaryDirectory(prefix="mimawari-pipe-") as folder_of_pipes:
        yield [
            _from_pipe(path, Path(folder_of_pipes) / f"{number}-{path.name}")
            if _is_pipe(path)
            else path
            for number, path in enumerate(captures)
        ]


def _is_pipe(path: Path) -> bool:
    """Whether it can be read only once, from its start to its end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False  # whoever reads it says so
    return stat.S_ISFIFO(mode) or (stat.S_ISCHR(mode) and path == _STDIN)


def _from_pipe(pipe: Path, file: Path) -> Path:
    with pipe.open("rb", buffering=0) as told, file.open("wb") as kept:
        shutil.copyfileobj(told, kept, 1 << 20)
    return file


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


def kept_state(configuration: Configuration) -> Path:
    """The state folder; refused where nothing was ever kept, which is not the same as quiet."""
    folder = configuration.state_dir
    if not folder.is_dir():
        raise typer.BadParameter(
            f"{folder}: no such state folder; name the one that `mimawari run` or"
            " `mimawari replay --state` writes"
        )
    return folder


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
def kept_store(configuration: Configuration) -> Iterator[Store]:
    """The database of a state folder that is already there."""
    kept_state(configuration)
    with store_of(configuration) as store:
        yield store


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


def host_address(told: str) -> str:
    """The address that was told, or none."""
    try:
        return told and str(ip_address(told))
    except ValueError:
        raise typer.BadParameter(f"an address such as 10.20.1.5, not {told!r}") from None


def time_ns(told: str, default: int) -> int:
    return local_time_ns(told, "UTC") if told else default


def local_time_ns(told: str, timezone: str) -> int:
    """ns since the epoch of a time that was told; where it names no zone, in this one."""
    at = local_time(told, timezone)
    if not 1970 < at.year < 9999:
        raise typer.BadParameter(f"a time from 1971 to 9998, not {told!r}")
    return int(at.timestamp()) * 1_000_000_000


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
