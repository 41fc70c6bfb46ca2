"""`mimawari setup`: propose a plan from captures, confirm it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import (
    Captures,
    Config,
    State,
    configuration_of,
    tell_faults,
    whole_captures,
)

app = typer.Typer(no_args_is_help=True, help="Day-0 set-up: propose a plan, confirm it.")


@app.command("propose")
def propose(
    captures: Captures,
    out: Annotated[Path, typer.Option(help="folder for the proposal")] = Path("setup"),
    config: Config = None,
    state: State = None,
) -> None:
    """Propose a plan, a ledger and a register from captures, with the evidence beside each."""
    from api.setup_run import propose_from
    from api.terminal import progress_bar

    configuration = configuration_of(config, state)
    out.mkdir(parents=True, exist_ok=True)
    with whole_captures(captures) as whole, progress_bar(hidden=False) as on_progress:
        proposal, faults, notes = propose_from(configuration, whole, on_progress)
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
    tell_faults(faults, notes)


@app.command("confirm")
def confirm(
    folder: Annotated[Path, typer.Argument(help="folder with the edited proposal")],
    with_ledger: Annotated[bool, typer.Option(help="take assets.csv as the ledger")] = False,
    with_register: Annotated[bool, typer.Option(help="take register.csv as the register")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Check an edited proposal as a whole, and use it from now on."""
    from detector.setup.confirm import PLAN_FILE, PlanFault, confirm_plan

    configuration = configuration_of(config, state)
    try:
        plan = (folder / PLAN_FILE).read_text(encoding="utf-8")
        ledger = (folder / "assets.csv").read_bytes() if with_ledger else None
        register = (folder / "register.csv").read_bytes() if with_register else None
        used = confirm_plan(configuration.state_dir, plan, ledger, register)
    except (PlanFault, UnicodeDecodeError) as fault:
        typer.echo(f"{folder}: {fault}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{configuration.state_dir}: {used['segments']} segments are in use")
