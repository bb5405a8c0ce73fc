"""`moot projections`: where they stand; pause and resume one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moot.cli import rebuilding, reconcile, status, verify
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.whereabouts import servers_of
from moot.contracts.operations import PauseProjection, ResumeProjection

if TYPE_CHECKING:
    from moot.cli.operating import Operator

app = typer.Typer(no_args_is_help=True, help="What the Ops DB's tables are made by.")
app.command("rebuild")(rebuilding.rebuild)
app.command("promote")(rebuilding.promote)
app.command("rollback")(rebuilding.rollback)
app.command("generations")(rebuilding.generations)
app.command("reconcile")(reconcile.reconcile)
app.command("verify")(verify.verify)

Name = Annotated[str, typer.Argument(metavar="PROJECTION", help="As `list` names it.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]


@app.command("list")
def list_(data: DataFolder = Path(".moot"), as_json: JsonOutput = False) -> None:
    """Show where each projection stands, as `moot status` does."""
    status.status(data, as_json)


@app.command("pause")
def pause(projection: Name, reason: Reason = "", data: DataFolder = Path(".moot")) -> None:
    """Let a projection apply nothing more until it is resumed."""
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import

    async def work(operator: "Operator") -> str:
        await operator.exists(projection)
        command = PauseProjection(by=operator.by, projection=projection, reason=reason)
        done = await operator.does(projection, command)
        if not done.recorded:
            return f"{projection} was paused already."
        await operator.carried_out(projection, done.position)
        return f"{projection} is paused at {done.position}."

    typer.echo(operate(servers_of(data), work))


@app.command("resume")
def resume(projection: Name, reason: Reason = "", data: DataFolder = Path(".moot")) -> None:
    """Let a paused projection go on where it was."""
    from moot.cli.operating import operate  # noqa: PLC0415 - as above

    async def work(operator: "Operator") -> str:
        await operator.exists(projection)
        command = ResumeProjection(by=operator.by, projection=projection, reason=reason)
        done = await operator.does(projection, command)
        if not done.recorded:
            return f"{projection} wasn't paused."
        await operator.carried_out(projection, done.position)
        return f"{projection} goes on; it is past {done.position}."

    typer.echo(operate(servers_of(data), work))
