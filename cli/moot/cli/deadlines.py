"""`moot deadlines`: what the ticker waits for."""

from pathlib import Path
from typing import Annotated

import typer

from moot.cli import tables
from moot.cli.calls import answer_to, reached
from moot.cli.options import ApiAddress, DataFolder, JsonOutput
from moot.cli.whereabouts import api_of
from moot.contracts.views import PageView, WaitingDeadlineView

app = typer.Typer(no_args_is_help=True, help="What happens next by itself, and when.")


@app.callback()
def deadlines() -> None:
    """So that `list` stays a command of its own."""


@app.command("list")
def list_(
    topic: Annotated[str | None, typer.Option(metavar="ID", help="Only of this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Show what fires next, earliest first; what is overdue comes before all else."""
    address, admin_key = api_of(data, api)
    page = answer_to(_listed(address, admin_key, topic, limit))
    if as_json:
        typer.echo(page.model_dump_json())
        return
    if not page.items:
        typer.echo("There are none.")
        return
    tables.show(("due", "command", "stream", "topic"), map(_row, page.items))
    if page.next is not None:
        typer.echo("There are more.")


def _row(one: WaitingDeadlineView) -> tuple[str, ...]:
    argument = "" if one.round_no is None else f" {one.round_no}"
    due_at = one.due_at.isoformat(timespec="milliseconds")
    return (due_at, one.command + argument, one.stream, one.topic_id or "")


async def _listed(
    address: str, admin_key: str, topic: str | None, limit: int
) -> PageView[WaitingDeadlineView]:
    async with reached(address, admin_key=admin_key) as moot:
        return await moot.list_deadlines(topic_id=topic, page_size=limit).first()
