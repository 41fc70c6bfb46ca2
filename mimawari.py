"""The command `mimawari`: wires collector, detector, api and dashboards; holds no logic.

Imports stand inside the commands: what a command does not use costs it no start-up time.
"""

from __future__ import annotations

import gc
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands import assets, baseline, lines, report, settings, setup
from api.commands.ending import leave, told_in_words, write_what_the_terminal_cannot
from api.commands.options import (
    AsJson,
    Captures,
    Config,
    State,
    configuration_of,
    host_address,
    kept_state,
    print_rows,
    state_folder,
    tell_faults,
    time_ns,
    whole_captures,
)

if TYPE_CHECKING:
    from api.configuration import Configuration

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mimawari (見回り) makes the round of a hospital's network.",
)
app.add_typer(settings.config_app, name="config")
app.add_typer(settings.data_app, name="data")
app.add_typer(lines.app, name="lines")
app.add_typer(assets.app, name="assets")
app.add_typer(setup.app, name="setup")
app.add_typer(baseline.app, name="baseline")
app.add_typer(report.app, name="report")


@app.command()
def replay(
    captures: Captures,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
    speed: Annotated[str, typer.Option(help="max, or a factor of the captured time")] = "max",
) -> None:
    """Run the whole pipeline over captures, in the time their packets carry."""
    from collector.reading_process import reading_process

    # Windows hold many objects and little garbage: half a second of a large replay.
    gc.set_threshold(1_000_000, 50, 50)
    factor = _speed(speed)
    with (
        whole_captures(captures) as captures,
        reading_process(captures) as reader,
        state_folder(state) as folder,
    ):
        configuration = configuration_of(config, state)
        if reader is not None:  # it reads while the detectors are loaded
            from collector.capture.finding import find_captures

            reader.begin(configuration.collecting(), find_captures(captures))
        from api.replaying import ReplayRun

        run = ReplayRun(configuration, folder, keep=state is not None, speed=factor, reader=reader)
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
    tell_faults(run.faults, run.notes)


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
    with whole_captures(captures) as whole, WriteBehind(writer) as behind:
        listing = list_flows(whole, behind)
    typer.echo(f"{listing.packets:,} packets, {listing.flows:,} flows", err=True)
    tell_faults(listing.faults, listing.notes)


@app.command()
def sightings(captures: Captures, as_json: AsJson = False) -> None:
    """Write what single packets told: names, leases, handshakes, remote calls."""
    from collector.capture.finding import find_captures
    from collector.replay import Replay
    from collector.settings import CollectorSettings

    reading = Replay(CollectorSettings())
    with whole_captures(captures) as whole:
        for seen in reading.read(find_captures(whole)):
            for sighting in seen.sightings:
                sys.stdout.write(_sighting_line(sighting.to_json(), as_json) + "\n")
    tell_faults(reading.faults, reading.health.notes)


def _sighting_line(told: dict[str, Any], as_json: bool) -> str:
    if as_json:
        return json.dumps(told, ensure_ascii=False)
    from collector.words import harmless

    named = (f"{k}={v}" for k, v in told.items() if k not in ("type", "schema"))
    return harmless("  ".join(named))


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
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of the console")] = 8642,
    state: State = None,
    serve: Annotated[bool, typer.Option(help="serve the console afterwards")] = True,
) -> None:
    """Replay the sample hospital, print its alerts, and serve the console on this machine."""
    from api.replaying import ReplayRun
    from detector.opening import EDGES_FILE, MEMORIES_FILE

    folder = state or Path("state/demo")
    # The days of the sample come again: a detector that remembered them would tell other things.
    for learnt in (EDGES_FILE, MEMORIES_FILE):
        (folder / learnt).unlink(missing_ok=True)
    here = Path(__file__).resolve().parent / "sample_pcaps"
    configuration = configuration_of(here / "mimawari.toml", folder)
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
    configuration = configuration_of(config, state)
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

    collect(configuration_of(config, state))


@app.command()
def detect(config: Config = None, state: State = None) -> None:
    """Only detect: what the spool holds, for a service of its own."""
    from api.watching import detect

    detect(configuration_of(config, state))


@app.command()
def doctor(
    config: Config = None,
    state: State = None,
    english: Annotated[bool, typer.Option(help="in English")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what this machine can and cannot see, and what to do about it."""
    from api.examining import examine_machine

    found = examine_machine(configuration_of(config, state))
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

    folder = kept_state(configuration_of(config, state))
    lake = Lake(folder / "lake")
    rows = lake.hunt(
        host=host_address(host),
        peer=host_address(peer),
        port=port,
        app=application,
        since_ns=time_ns(since, 0),
        until_ns=time_ns(until, 1 << 62),
        limit=limit,
    )
    columns = (
        "first_ns", "source", "source_port", "destination", "destination_port", "app", "state",
        "bytes", "reply_bytes",
    )  # fmt: skip
    print_rows(rows, columns, as_json, "no flow is kept that fits")
    tell_faults([f"{cause}: {count:,}" for cause, count in lake.shed.items() if count], ())


def _serve(configuration: Configuration, port: int) -> None:
    from api.serving import serve
    from dashboards.console import add_console
    from dashboards.settings import ConsoleSettings

    hospital = configuration.hospital
    settings = ConsoleSettings(hospital_name=hospital.name, timezone=hospital.timezone)
    serve(configuration, port, lambda app: add_console(app, settings))


def _speed(told: str) -> float:
    """0 for as fast as possible."""
    if told == "max":
        return 0.0
    try:
        factor = float(told)
    except ValueError:
        factor = 0.0
    if not 0 < factor < math.inf:
        raise typer.BadParameter(f"max, or a number above 0 such as 10, not {told!r}")
    return factor


def main() -> None:
    """Run the command line."""
    # Imports make many objects and no garbage: looking for it costs a fifth of a second.
    gc.set_threshold(100_000, 50, 50)
    write_what_the_terminal_cannot()
    try:
        with told_in_words():
            app()
    except SystemExit as end:
        leave(end.code)


if __name__ == "__main__":
    main()
