"""The command `mimawari`: wires collector, detector, api and dashboards; holds no logic.

Imports stand inside the commands: what a command does not use costs it no start-up time.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from api.configuration import Configuration
    from detector.sheet import Form, Language

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mimawari (見回り) makes the round of a hospital's network.",
)
config_app = typer.Typer(no_args_is_help=True, help="Look at the settings.")
data_app = typer.Typer(no_args_is_help=True, help="Update the lists of names and addresses.")
lines_app = typer.Typer(no_args_is_help=True, help="Outside lines and their register.")
assets_app = typer.Typer(no_args_is_help=True, help="Assets seen and their ledger.")
app.add_typer(config_app, name="config")
app.add_typer(data_app, name="data")
app.add_typer(lines_app, name="lines")
app.add_typer(assets_app, name="assets")
setup_app = typer.Typer(no_args_is_help=True, help="Day-0 set-up: propose a plan, confirm it.")
app.add_typer(setup_app, name="setup")
report_app = typer.Typer(no_args_is_help=True, help="Reports from what is stored.")
app.add_typer(report_app, name="report")

Captures = Annotated[list[Path], typer.Argument(help="pcap, pcapng, .gz, .zst, or a folder")]
Config = Annotated[Path | None, typer.Option("--config", help="settings file (TOML)")]
State = Annotated[Path | None, typer.Option("--state", help="folder that keeps what was learned")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@app.command()
def replay(
    captures: Captures,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
    speed: Annotated[str, typer.Option(help="max, or a factor of the captured time")] = "max",
) -> None:
    """Run the whole pipeline over captures, in the time their packets carry."""
    from api.replaying import ReplayRun

    configuration = _configuration(config, state)
    with _state_folder(state) as folder:
        run = ReplayRun(configuration, folder, keep=state is not None, speed=_speed(speed))
        _replay(run, captures, as_json)


def _replay(run: Any, captures: list[Path], as_json: bool) -> None:
    from api.terminal import print_alerts, print_json_lines, progress_bar

    started = time.perf_counter()
    with progress_bar(hidden=as_json) as on_progress:
        alerts = run.over(captures, on_progress)
    wall_s = time.perf_counter() - started
    if as_json:
        print_json_lines([*alerts, run.summary(wall_s)], sys.stdout)
    else:
        print_alerts(alerts, run.summary(wall_s), run.zone)
    _tell_faults(run.faults, run.notes)


@app.command()
def flows(
    captures: Captures,
    as_json: AsJson = False,
    csv: Annotated[bool, typer.Option("--csv", help="comma-separated values")] = False,
    parquet: Annotated[Path | None, typer.Option(help="write a Parquet file")] = None,
) -> None:
    """Write the flows of captures, one connection a line, as Zeek's conn.log counts them."""
    from collector.flow_listing import list_flows
    from collector.flow_output import WriteBehind, open_writer

    if parquet is not None:
        writer = open_writer("parquet", parquet)
    else:
        writer = open_writer("json" if as_json else "csv" if csv else "text", sys.stdout.buffer)
    with WriteBehind(writer) as behind:
        listing = list_flows(captures, behind)
    typer.echo(f"{listing.packets:,} packets, {listing.flows:,} flows", err=True)
    _tell_faults(listing.faults, listing.notes)


@app.command()
def sightings(captures: Captures, as_json: AsJson = False) -> None:
    """Write what single packets told: names, leases, handshakes, remote calls."""
    from collector.capture.finding import find_captures
    from collector.replay import Replay
    from collector.settings import CollectorSettings

    reading = Replay(CollectorSettings())
    for seen in reading.read(find_captures(captures)):
        for sighting in seen.sightings:
            told = sighting.to_json()
            if as_json:
                line = json.dumps(told, ensure_ascii=False)
            else:
                line = "  ".join(f"{k}={v}" for k, v in told.items() if k not in ("type", "schema"))
            sys.stdout.write(line + "\n")
    _tell_faults(reading.faults, reading.health.notes)


@app.command("simulate")
def simulate_hospital(
    out: Annotated[Path, typer.Option(help="folder to write into")],
    days: Annotated[int, typer.Option(min=1, max=400)] = 60,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    scenario: Annotated[
        list[str] | None, typer.Option(help="S1 … S12, T1 … T12; default: all")
    ] = None,
    warm_days: Annotated[int, typer.Option(min=0, help="days without any scenario")] = 28,
    beds: Annotated[int, typer.Option(min=20, max=4000)] = 400,
    volume: Annotated[float, typer.Option(min=0.01, max=1, help="of terminals' work")] = 1.0,
    times: Annotated[int, typer.Option(min=1, max=50, help="how often each scenario plays")] = 1,
) -> None:
    """Make days of a hospital that does not exist: flows, sightings, papers, and the truth."""
    from api.terminal import counting_bar
    from sample_pcaps.simulated.making import Order, scenario_names, simulate

    every = tuple(name for name in scenario_names() if name != "S11")
    order = Order(days, seed, tuple(scenario or every), warm_days, beds, volume, times)
    try:
        with counting_bar("days") as on_day:
            made = simulate(order, out, on_day)
    except ValueError as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from None
    typer.echo(
        f"{out}: {made['hosts']:,} hosts, {made['days']} days, {made['flows']:,} flows, "
        f"{made['sightings']:,} sightings, {len(made['scenarios'])} scenarios"
    )


@app.command("evaluate")
def evaluate_detectors(
    folder: Annotated[
        Path | None, typer.Argument(help="what `simulate` wrote, or a folder of such")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="hospitals, if none is given")] = 3,
    days: Annotated[int, typer.Option(min=10, max=400)] = 42,
    volume: Annotated[float, typer.Option(min=0.01, max=1)] = 0.2,
    tier: Annotated[list[str] | None, typer.Option(help="span, netflow, sampled, listener")] = None,
    out: Annotated[Path, typer.Option(help="folder for the scoreboard")] = Path("evaluation"),
    as_json: AsJson = False,
) -> None:
    """Count what is found in simulated hospitals, how soon, and at what noise."""
    from bench.evaluation.evaluate import evaluate, hospitals, write_scoreboard
    from bench.evaluation.report import to_json, to_markdown
    from bench.evaluation.tiers import TIERS
    from sample_pcaps.simulated.making import Order

    tiers = tier or list(TIERS)
    unknown = sorted(set(tiers) - set(TIERS))
    if unknown:
        raise typer.BadParameter(f"tiers are {', '.join(TIERS)}, not {', '.join(unknown)}")
    try:
        with hospitals(folder, Order(days, 0, volume=volume), range(1001, 1001 + seeds)) as made:
            scores = evaluate(made, tiers, lambda told: typer.echo(told, err=True))
    except ValueError as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from None
    write_scoreboard(scores, out)
    typer.echo(json.dumps(to_json(scores), ensure_ascii=False) if as_json else to_markdown(scores))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="port of the console")] = 8642,
    state: State = None,
    serve: Annotated[bool, typer.Option(help="serve the console afterwards")] = True,
) -> None:
    """Replay the sample hospital, print its alerts, and serve the console on this machine."""
    from api.replaying import ReplayRun

    folder = state or Path("state/demo")
    here = Path(__file__).resolve().parent / "sample_pcaps"
    configuration = _configuration(here / "mimawari.toml", folder)
    _replay(ReplayRun(configuration, folder, keep=True), [here], as_json=False)
    if serve:
        _serve(configuration, port)


@app.command()
def run(
    config: Config = None,
    state: State = None,
    server_only: Annotated[
        bool, typer.Option("--server-only", help="leave collecting and detecting to other services")
    ] = False,
) -> None:
    """Watch all configured sources, and serve the API and the console."""
    configuration = _configuration(config, state)
    if server_only or not configuration.collector.sources:
        _serve(configuration, configuration.api.port)
        return
    from api.supervising import Supervisor

    told = [*(["--config", str(config)] if config else []), "--state", str(configuration.state_dir)]
    command = [sys.executable, str(Path(__file__).resolve())]
    supervisor = Supervisor([[*command, verb, *told] for verb in ("collect", "detect")])
    supervisor.start()
    try:
        _serve(configuration, configuration.api.port)
    finally:
        supervisor.end()


@app.command()
def collect(config: Config = None, state: State = None) -> None:
    """Only collect: live sources into the spool, for a service of its own."""
    from api.watching import collect

    collect(_configuration(config, state))


@app.command()
def detect(config: Config = None, state: State = None) -> None:
    """Only detect: what the spool holds, for a service of its own."""
    from api.watching import detect

    detect(_configuration(config, state))


@app.command()
def doctor(
    config: Config = None,
    state: State = None,
    english: Annotated[bool, typer.Option(help="in English")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what this machine can and cannot see, and what to do about it."""
    from api.examining import examine_machine

    found = examine_machine(_configuration(config, state))
    for line in found:
        if as_json:
            typer.echo(json.dumps(line.to_json(), ensure_ascii=False))
        else:
            sign = {"ok": "  ", "look": "! ", "blind": "x "}[line.tone]
            typer.echo(f"{sign}{line.topic}: {line.en if english else line.ja}")
    if any(line.tone == "blind" for line in found):
        raise typer.Exit(1)


@app.command()
def hunt(
    host: Annotated[str, typer.Option(help="address")] = "",
    peer: Annotated[str, typer.Option(help="address of the other side")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
    application: Annotated[str, typer.Option("--app", help="application, e.g. rdp")] = "",
    since: Annotated[str, typer.Option(help="2026-10-01 or 2026-10-01T09:00, UTC")] = "",
    until: Annotated[str, typer.Option(help="as --since")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000)] = 1000,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Search the kept flows of a host."""
    from collector.lake import Lake

    configuration = _configuration(config, state)
    rows = Lake(configuration.state_dir / "lake").hunt(
        host=host,
        peer=peer,
        port=port,
        app=application,
        since_ns=_time(since, 0),
        until_ns=_time(until, 1 << 62),
        limit=limit,
    )
    columns = (
        "first_ns", "source", "source_port", "destination", "destination_port", "app", "state",
        "bytes", "reply_bytes",
    )  # fmt: skip
    _print_rows(rows, columns, as_json, "no flow is kept that fits")


@lines_app.command("list")
def lines_list(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Outside lines that were seen, with the register's verdict."""
    from detector.store import Store

    configuration = _configuration(config, state)
    store = Store(configuration.state_dir / "mimawari.db").open()
    columns = ("verdict", "device_ip", "outside", "label", "registered_id", "first_ns", "last_ns")
    _print_rows(store.observed_lines(), columns, as_json, "no outside line has been seen")
    store.close()


@lines_app.command("check")
def lines_check(register: Path) -> None:
    """Read a register (CSV or xlsx) and name every faulty row."""
    from detector.register import read_register

    listed, faults = read_register(register)
    _tell_rows(len(listed), faults)


@lines_app.command("evidence")
def lines_evidence(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Signs of hidden lines by host, weak ones included, as of the last hour of event time."""
    from detector.store import Store

    configuration = _configuration(config, state)
    store = Store(configuration.state_dir / "mimawari.db").open()
    rows = store.note("line_evidence").get("hosts", [])
    columns = ("host", "sum", "percent", "families")
    _print_rows(rows, columns, as_json, "no sign of a hidden line has been seen")
    store.close()


@lines_app.command("template")
def lines_template(
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


@lines_app.command("book")
def lines_book(
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
    from detector.store import Store

    configuration = _configuration(config, state)
    zone = configuration.hospital.timezone
    store = Store(configuration.state_dir / "mimawari.db").open()
    try:
        booking = make_booking(
            store, line, _local(start, zone), _local(end, zone), person=person, purpose=purpose,
            approver=approver, made_by=getuser(),
        )  # fmt: skip
    except BookingFault as fault:
        typer.echo("\n".join(fault.faults), err=True)
        raise typer.Exit(2) from None
    finally:
        store.close()
    typer.echo(f"{booking.id}: {booking.line} {booking.start:%Y-%m-%d %H:%M} – {booking.end:%H:%M}")


@lines_app.command("slips")
def lines_slips(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Remote maintenance as it was done, the latest first."""
    from detector.store import Store

    configuration = _configuration(config, state)
    store = Store(configuration.state_dir / "mimawari.db").open()
    columns = ("id", "line", "vendor", "first_ns", "last_ns", "peer", "is_in_scope", "confirmed_by")
    _print_rows([s.to_json() for s in store.slips()], columns, as_json, "no maintenance was seen")
    store.close()


@assets_app.command("list")
def assets_list(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Assets that were seen."""
    from detector.store import Store

    configuration = _configuration(config, state)
    store = Store(configuration.state_dir / "mimawari.db").open()
    columns = ("ip", "mac", "name", "role", "care_class", "department", "is_listed", "last_ns")
    _print_rows(store.seen_assets(), columns, as_json, "no asset has been seen")
    store.close()


@assets_app.command("check")
def assets_check(ledger: Path) -> None:
    """Read an asset ledger (CSV or xlsx) and name every faulty row."""
    from detector.ledger import read_ledger

    listed, faults = read_ledger(ledger)
    _tell_rows(len(listed), faults)


@report_app.command("weekly")
def report_weekly(
    until: Annotated[str, typer.Option(help="end, e.g. 2026-10-01; else the newest seen")] = "",
    html: Annotated[Path | None, typer.Option(help="write an HTML file")] = None,
    english: Annotated[bool, typer.Option(help="in English")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """A week in words: incidents, outside lines, maintenance, ledgers, and what was unseen."""
    from api.reports.weekly import weekly_digest
    from detector.store import Store

    configuration = _configuration(config, state)
    hospital = configuration.hospital
    store = Store(configuration.state_dir / "mimawari.db").open()
    end_ns = int(_local(until, hospital.timezone).timestamp() * 1e9) if until else 0
    digest = weekly_digest(store, hospital.name, hospital.timezone, end_ns)
    store.close()
    language: Language = "en" if english else "ja"
    if html is None:
        typer.echo(digest.to_text(language))
    else:
        html.write_text(digest.to_html(language), encoding="utf-8")
        typer.echo(f"{html}: written")


@setup_app.command("propose")
def setup_propose(
    captures: Captures,
    out: Annotated[Path, typer.Option(help="folder for the proposal")] = Path("setup"),
    config: Config = None,
    state: State = None,
) -> None:
    """Propose a plan, a ledger and a register from captures, with the evidence beside each."""
    from api.setup_run import propose_from
    from api.terminal import progress_bar

    configuration = _configuration(config, state)
    with progress_bar(hidden=False) as on_progress:
        proposal, faults, notes = propose_from(configuration, captures, on_progress)
    out.mkdir(parents=True, exist_ok=True)
    hospital = configuration.hospital
    for name, content in proposal.files(hospital.name, hospital.timezone).items():
        (out / name).write_bytes(content)
    typer.echo(
        f"{out}: {len(proposal.segments)} segments, {len(proposal.assets)} assets, "
        f"{len(proposal.lines)} outside lines from {proposal.span_h:.1f} h; go through the files, "
        f"then run: mimawari setup confirm {out}"
    )
    for doubt in proposal.doubts:
        typer.echo(f"  {doubt}")
    _tell_faults(faults, notes)


@setup_app.command("confirm")
def setup_confirm(
    folder: Annotated[Path, typer.Argument(help="folder with the edited proposal")],
    with_ledger: Annotated[bool, typer.Option(help="take assets.csv as the ledger")] = False,
    with_register: Annotated[bool, typer.Option(help="take register.csv as the register")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Check an edited proposal as a whole, and use it from now on."""
    from detector.setup.confirm import PLAN_FILE, PlanFault, confirm_plan

    configuration = _configuration(config, state)
    try:
        plan = (folder / PLAN_FILE).read_text(encoding="utf-8")
        ledger = (folder / "assets.csv").read_bytes() if with_ledger else None
        register = (folder / "register.csv").read_bytes() if with_register else None
        used = confirm_plan(configuration.state_dir, plan, ledger, register)
    except (PlanFault, OSError, UnicodeDecodeError) as fault:
        typer.echo(f"{folder}: {fault}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{configuration.state_dir}: {used['segments']} segments are in use")


@config_app.command("check")
def config_check(config: Annotated[Path, typer.Argument(help="settings file (TOML)")]) -> None:
    """Name every fault in a settings file."""
    configuration = _configuration(config, None)
    typer.echo(f"{config}: no faults; {len(configuration.detectors())} detectors will run")


@data_app.command("update")
def data_update(file: Path, config: Config = None, state: State = None) -> None:
    """Take new lists (a zip or one TSV) into the state folder, after checking them."""
    from collector.data import update_data

    configuration = _configuration(config, state)
    for name in update_data(file, configuration.state_dir / "data"):
        typer.echo(f"{name}: taken")


def _serve(configuration: Configuration, port: int) -> None:
    from api.serving import serve
    from dashboards.console import add_console
    from dashboards.settings import ConsoleSettings

    hospital = configuration.hospital
    settings = ConsoleSettings(hospital_name=hospital.name, timezone=hospital.timezone)
    serve(configuration, port, lambda app: add_console(app, settings))


def _configuration(path: Path | None, state: Path | None) -> Configuration:
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
def _state_folder(state: Path | None) -> Iterator[Path]:
    """The folder that was asked for, or one that goes when the command ends."""
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="mimawari-") as folder:
        yield Path(folder)


def _print_rows(rows: Any, columns: tuple[str, ...], as_json: bool, nothing: str) -> None:
    from api.terminal import print_json_lines, print_table

    if as_json:
        print_json_lines(rows, sys.stdout)
    else:
        print_table(rows, columns, nothing)


def _speed(told: str) -> float:
    """0 for as fast as possible."""
    if told == "max":
        return 0.0
    try:
        factor = float(told)
    except ValueError:
        factor = 0.0
    if factor <= 0:
        raise typer.BadParameter(f"max, or a number above 0 such as 10, not {told!r}")
    return factor


def _time(told: str, default: int) -> int:
    return int(_local(told, "UTC").timestamp() * 1e9) if told else default


def _local(told: str, timezone: str) -> datetime:
    """A time; where it names no zone, in this one."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise typer.BadParameter(f"a time such as 2026-10-01T09:00, not {told!r}") from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))


def _tell_faults(faults: Any, notes: Any) -> None:
    """Say what could not be read; exit status 1 if a whole input could not."""
    for note in notes:
        typer.echo(note, err=True)
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)


def _tell_rows(count: int, faults: Any) -> None:
    typer.echo(f"{count} rows read")
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    # Imports make many objects and no garbage: looking for it costs a fifth of a second.
    gc.set_threshold(100_000, 50, 50)
    app()


if __name__ == "__main__":
    main()
