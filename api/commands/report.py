"""`mimawari report`: reports from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import Config, State, configuration_of, kept_store, local_time_ns

if TYPE_CHECKING:
    from detector.sheet import Language

app = typer.Typer(no_args_is_help=True, help="Reports from what is stored.")


@app.command("weekly")
def weekly(
    until: Annotated[str, typer.Option(help="end, e.g. 2026-10-01; else the newest seen")] = "",
    html: Annotated[Path | None, typer.Option(help="write an HTML file")] = None,
    english: Annotated[bool, typer.Option(help="in English")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """A week in words: incidents, outside lines, maintenance, ledgers, and what was unseen."""
    from api.reports.weekly import weekly_digest

    configuration = configuration_of(config, state)
    hospital = configuration.hospital
    end_ns = local_time_ns(until, hospital.timezone) if until else 0
    with kept_store(configuration) as store:
        digest = weekly_digest(store, hospital.name, hospital.timezone, end_ns)
    language: Language = "en" if english else "ja"
    if html is None:
        typer.echo(digest.to_text(language))
    else:
        html.write_text(digest.to_html(language), encoding="utf-8")
        typer.echo(f"{html}: written")
