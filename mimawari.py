"""The command `mimawari`: wires collector, detector, api and dashboards; holds no logic."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def about() -> None:
    """Mimawari makes the round of a hospital's network."""


def main() -> None:
    """Run the command line."""
    app()
