"""The `moot` command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from moot.cli import (
    agents,
    allocation,
    backup,
    config,
    credentials,
    dead_letters,
    deadlines,
    deliveries,
    migrate,
    projections,
    provision,
    seed,
    status,
    topics,
    up,
    verdict_schemas,
)
from moot.cli.errors import CommandError

app = typer.Typer(
    name="moot",
    help="Deliberations that are fair, on time and accountable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("migrate")(migrate.migrate)
app.command("provision")(provision.provision)
app.command("credentials")(credentials.credentials)
app.command("seed")(seed.seed)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("status")(status.status)
app.add_typer(config.app, name="config")
app.add_typer(agents.app, name="agents")
app.add_typer(topics.app, name="topics")
app.add_typer(verdict_schemas.app, name="verdict-schemas")
app.add_typer(allocation.app, name="allocation")
app.add_typer(projections.app, name="projections")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(deadlines.app, name="deadlines")
app.add_typer(deliveries.app, name="deliveries")


@app.callback()
def log_to_stderr() -> None:
    # Not needed for --help, and slow to import.
    from moot.runtime.logs import start_logging  # noqa: PLC0415

    start_logging("cli", log_format="console", level="warning", stream=sys.stderr)


@app.command("demo")
def demo(
    file: Annotated[
        Path | None, typer.Option(help="A debate in the form of those in examples/.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the data here.", show_default="a temporary folder"),
    ] = None,
    keep: Annotated[bool, typer.Option(help="Keep the data of a demo without --data.")] = False,
) -> None:
    """Play a whole debate on real servers, check that everything held, and stop them."""
    from moot.cli.demo.run import run  # noqa: PLC0415 - nobody else needs its imports

    raise typer.Exit(run(file, data, keep=keep))


def main() -> None:
    """Run the command that the arguments name; a CommandError ends it with one message."""
    try:
        app()
    except CommandError as error:
        sys.stderr.write(f"moot: {error}\n")
        sys.exit(error.exit_code)
