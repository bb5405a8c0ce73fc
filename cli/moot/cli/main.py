"""The `moot` command."""

import sys

import typer

from moot.cli import agents, config, migrate, provision, seed, status, up
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
app.command("seed")(seed.seed)
app.command("status")(status.status)
app.add_typer(config.app, name="config")
app.add_typer(agents.app, name="agents")


@app.callback()
def log_to_stderr() -> None:
    # Not needed for --help, and slow to import.
    from moot.runtime.telemetry import start_logging  # noqa: PLC0415

    start_logging("cli", log_format="console", level="warning", stream=sys.stderr)


def main() -> None:
    """Run the command that the arguments name; a CommandError ends it with one message."""
    try:
        app()
    except CommandError as error:
        sys.stderr.write(f"moot: {error}\n")
        sys.exit(error.exit_code)
