"""`mimawari lines`: outside lines, their register, maintenance on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import (
    AsJson,
    Config,
    State,
    configuration_of,
    kept_store,
    local_time,
    print_rows,
    tell_rows,
)

if TYPE_CHECKING:
    from detector.sheet import Form, Language

app = typer.Typer(no_args_is_help=True, help="Outside lines and their register.")


@app.command("list")
def list_all(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Outside lines that were seen, with the register's verdict."""
    columns = ("verdict", "device_ip", "outside", "label", "registered_id", "first_ns", "last_ns")
    with kept_store(configuration_of(config, state)) as store:
        print_rows(store.observed_lines(), columns, as_json, "no outside line has been seen")


@app.command("check")
def check(register: Path) -> None:
    """Read a register (CSV or xlsx) and name every faulty row."""
    from detector.register import read_register

    listed, faults = read_register(register)
    tell_rows(len(listed), faults)


@app.command("evidence")
def evidence(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Signs of hidden lines by host, weak ones included, as of the last hour of event time."""
    columns = ("host", "sum", "percent", "families")
    with kept_store(configuration_of(config, state)) as store:
        rows = store.note("line_evidence").get("hosts", [])
        print_rows(rows, columns, as_json, "no sign of a hidden line has been seen")


@app.command("template")
def template(
    name: Annotated[str, typer.Argument(help="kind of line; none lists them all")] = "",
    out: Annotated[Path | None, typer.Option(help="file to write, .csv or .xlsx")] = None,
    english: Annotated[bool, typer.Option(help="English headings")] = False,
) -> None:
    """Write a register template for a kind of line, or list the kinds."""
    from detector.register_templates import register_templates

    templates = register_templates()
    if name not in templates:
        for known in templates.values():
            typer.echo(f"{known.name:20} {known.title.ja} / {known.title.en}")
        raise typer.Exit(2 if name else 0)
    file = out or Path(f"register-{name}.csv")
    language: Language = "en" if english else "ja"
    form: Form = "xlsx" if file.suffix == ".xlsx" else "csv"
    file.write_bytes(templates[name].as_file(language, form))
    typer.echo(f"{file}: write your own lines over the example, then import it")


@app.command("book")
def book(
    line: Annotated[str, typer.Option(help="the register's id")],
    start: Annotated[str, typer.Option("--from", help="2026-10-01T09:00, the hospital's time")],
    end: Annotated[str, typer.Option("--to", help="as --from")],
    person: Annotated[str, typer.Option(help="who will work, and for whom")],
    purpose: Annotated[str, typer.Option()],
    approver: Annotated[str, typer.Option()],
    config: Config = None,
    state: State = None,
) -> None:
    """Book maintenance: open a registered line for a time."""
    from getpass import getuser

    from detector.bookings import BookingFault, make_booking

    configuration = configuration_of(config, state)
    zone = configuration.hospital.timezone
    span = (local_time(start, zone), local_time(end, zone))
    try:
        with kept_store(configuration) as store:
            booking = make_booking(
                store, line, *span, person=person, purpose=purpose, approver=approver,
                made_by=getuser(),
            )  # fmt: skip
    except BookingFault as fault:
        typer.echo("\n".join(fault.faults), err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{booking.id}: {booking.line} {booking.start:%Y-%m-%d %H:%M} – {booking.end:%H:%M}")


@app.command("slips")
def slips(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Remote maintenance as it was done, the latest first."""
    columns = ("id", "line", "vendor", "first_ns", "last_ns", "peer", "is_in_scope", "confirmed_by")
    with kept_store(configuration_of(config, state)) as store:
        print_rows(
            [s.to_json() for s in store.slips()], columns, as_json, "no maintenance was seen"
        )
