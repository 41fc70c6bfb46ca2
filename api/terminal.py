"""What the command line shows: progress, tables and JSON Lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

import collector.replay as replay
from collector.words import harmless

_STYLE = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
}
#: Alerts that a terminal shows; who has more to read takes JSON or the console.
_MOST_ALERTS = 100


@contextmanager
def progress_bar(*, hidden: bool) -> Iterator[Callable[[replay.Progress], None] | None]:
    """A bar on stderr while captures are read; nothing where stderr is no terminal."""
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def on_progress(at: replay.Progress) -> None:
            bar.update(task, description=at.file.name, completed=at.position, total=at.size)

        yield on_progress


@contextmanager
def counting_bar(unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr for (done, all); nothing where stderr is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn(f"{{task.completed}} {unit}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


def print_json_lines(rows: Sequence[Mapping[str, Any]], stream: TextIO) -> None:
    """One object a line."""
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def print_alerts(
    alerts: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], zone: tzinfo = UTC
) -> None:
    """The gravest alerts, one block each, how many more there are, and the summary."""
    console = Console(highlight=False)
    ordered = sorted(alerts, key=lambda a: -a["score"])
    for alert in ordered[:_MOST_ALERTS]:
        severity = alert["severity"]
        at = datetime.fromtimestamp(alert["first_ns"] / 1e9, zone).strftime("%Y-%m-%d %H:%M:%S")
        techniques = " ".join(alert["techniques"])
        console.print(
            f"[{_STYLE[severity]}] {severity} {alert['score']:.0f} [/] {at}  {techniques}"
        )
        body = Text()
        parties = f"{party_text(alert['source'])} → {targets_text(alert['targets'])}"
        title, next_step = alert["title"], alert["next_step"]
        for line, style in (
            (parties, "bold"),
            (title["ja"], ""),
            (title["en"], ""),
            (f"次に：{next_step['ja']}", "dim"),
            (f"Next: {next_step['en']}", "dim"),
        ):
            body.append(f"{harmless(line)}\n", style)
        console.print(Padding(body, (0, 0, 0, 2)))
    if rest := Counter(a["severity"] for a in ordered[_MOST_ALERTS:]):
        told = ", ".join(f"{n:,} {severity}" for severity, n in rest.items())
        console.print(f"and {rest.total():,} more ({told}): --json shows them all")
    counted = f"{summary['packets']:,} packets, {summary['flows']:,} flows, "
    counted += f"{summary['sightings']:,} sightings, {summary['alerts']:,} alerts"
    console.print(f"{counted} in {summary['wall_s']:.1f} s")
    for name in ("shed", "malformed", "detector_failures", "blind"):
        if summary[name]:
            told = ", ".join(f"{k} {_plain(v)}" for k, v in sorted(summary[name].items()))
            console.print(f"{name.replace('_', ' ')}: {harmless(told)}", markup=False)


def _plain(told: Any) -> str:
    return str(told["en"] if isinstance(told, Mapping) else told)


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], nothing: str) -> None:
    """Rows as a table; `nothing` says what an empty answer means."""
    console = Console()
    if not rows:
        console.print(nothing)
        return
    table = Table()
    for column in columns:
        table.add_column(column)
    for row in rows:
        # Text, because a machine may be called [/bold]: a name is no mark-up.
        table.add_row(*(Text(harmless(_cell(column, row.get(column)))) for column in columns))
    console.print(table)


def _cell(column: str, value: Any) -> str:
    if column.endswith("_ns"):
        return time_text(int(value or 0))
    if isinstance(value, (list, tuple)):
        return ", ".join(str(v) for v in value)
    return "" if value is None else str(value)


def time_text(time_ns: int) -> str:
    """Date and time in UTC, to the second."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def party_text(party: Mapping[str, Any]) -> str:
    """Name and address of a host."""
    address = party["ip"] or party["mac"]
    return f"{party['name']} ({address})" if party["name"] and address else party["name"] or address


def targets_text(targets: Sequence[Mapping[str, Any]]) -> str:
    """The first targets, and how many more there are."""
    shown = ", ".join(party_text(t) for t in targets[:3])
    return shown + (f" +{len(targets) - 3}" if len(targets) > 3 else "")
