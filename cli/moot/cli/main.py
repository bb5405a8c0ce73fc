"""The `moot` command."""

import sys

import typer

from moot.cli.errors import CommandError
from moot.cli.listing import Listed, Listing


class Moot(Listing):
    """Every command, with the first paragraph of its own help."""

    listed = (
        Listed(
            "up",
            "moot.cli.up:up",
            "Start servers and services here and stay; Ctrl-C stops them all.",
        ),
        Listed(
            "migrate",
            "moot.cli.migrate:migrate",
            "Bring the Ops DB's tables to the newest revision, or to another,"
            " and grant roles their use.",
        ),
        Listed(
            "provision",
            "moot.cli.provision:provision",
            "Make the streams and consumers that are missing, and check those that are there.",
        ),
        Listed(
            "credentials",
            "moot.cli.credentials:credentials",
            "Make the credentials that are missing; those that are there stay as they are.",
            logs=False,
        ),
        Listed(
            "seed",
            "moot.cli.seed:seed",
            "Issue keys to five agents and propose three topics, whose sign-up opens at once.",
            logs=False,
        ),
        Listed(
            "backup",
            "moot.cli.backup:backup",
            "Copy the Chronicle, and what is kept beside it, into a new folder, while all goes on.",
        ),
        Listed(
            "restore",
            "moot.cli.backup:restore",
            "Put a backup's streams into a NATS that has none:"
            " NATS_URL's, else that of a data folder.",
        ),
        Listed(
            "status",
            "moot.cli.status:status",
            "Show each projection's position, how far and how long it is behind,"
            " and what holds it up.",
        ),
        Listed(
            "demo",
            "moot.cli.demonstrate:demo",
            "Play a whole debate on real servers, check that everything held, and stop them.",
        ),
        Listed(
            "config", "moot.cli.config:app", "The settings that the environment gives.", logs=False
        ),
        Listed("agents", "moot.cli.agents:app", "Keys that agents call the API with.", logs=False),
        Listed("topics", "moot.cli.topics:app", "What is debated.", logs=False),
        Listed(
            "verdict-schemas",
            "moot.cli.verdict_schemas:app",
            "The forms that verdicts can have.",
            logs=False,
        ),
        Listed(
            "allocation", "moot.cli.allocation:app", "How a topic's camps were drawn.", logs=False
        ),
        Listed("projections", "moot.cli.projections:app", "What the Ops DB's tables are made by."),
        Listed(
            "dead-letters", "moot.cli.dead_letters:app", "Events that a projection has set aside."
        ),
        Listed(
            "deadlines",
            "moot.cli.deadlines:app",
            "What happens next by itself, and when.",
            logs=False,
        ),
        Listed("deliveries", "moot.cli.deliveries:app", "Announcements to Fabric and to webhooks."),
    )


app = typer.Typer(
    name="moot",
    help="Deliberations that are fair, on time and accountable.",
    cls=Moot,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def log_to_stderr(context: typer.Context) -> None:
    if not any(each.logs for each in Moot.listed if each.name == context.invoked_subcommand):
        return
    from moot.runtime.logs import start_logging  # noqa: PLC0415 - most of them don't need it

    start_logging("cli", log_format="console", level="warning", stream=sys.stderr)


def main() -> None:
    """Run the command that the arguments name; a CommandError ends it with one message."""
    try:
        app()
    except CommandError as error:
        sys.stderr.write(f"moot: {error}\n")
        sys.exit(error.exit_code)
