"""`moot projections rebuild`, `promote`, `rollback`: another copy of a projection's tables."""

import json
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from moot.cli import tables
from moot.cli.errors import CommandError
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.when import in_utc
from moot.cli.whereabouts import servers_of
from moot.contracts.operations import PromoteGeneration, RebuildKey

if TYPE_CHECKING:
    from moot.cli.operating import Operator
    from moot.projector.building import Progress as Built
    from moot.projector.generations import Generation
    from moot.projector.rebuilding import Rebuilding

    Work = Callable[[Rebuilding], Coroutine[Any, Any, Generation]]

Name = Annotated[str, typer.Argument(metavar="PROJECTION", help="As `list` names it.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]
Topic = Annotated[
    str | None, typer.Option(metavar="ID", help="Only this topic's rows, where they are.")
]
Key = Annotated[
    str | None, typer.Option(metavar="CATEGORY/ID", help="Only this stream's rows, where they are.")
]
Promote = Annotated[bool, typer.Option(help="Let readers read it once it is there and compared.")]
Anew = Annotated[
    bool, typer.Option("--from-scratch", help="Don't go on with what was built before.")
]


def rebuild(
    projection: Name,
    topic: Topic = None,
    key: Key = None,
    promote: Promote = True,
    from_scratch: Anew = False,
    reason: Reason = "",
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Build a projection's tables again beside those that serve, compare them, and switch.

    Killed, it goes on where it was when it is run again. With --topic or --key only one stream's
    rows are made again, in place, by the projection's owner.
    """
    of = f"topic/{topic}" if topic is not None else key
    if of is not None:
        _rebuild_key(projection, of, reason, data)
        return

    async def work(rebuilding: "Rebuilding") -> "Generation":
        return await rebuilding.rebuild(from_scratch=from_scratch, promote=promote)

    built = _work(projection, reason, data, work, as_json=as_json)
    if not as_json:
        what = "serves" if promote else "is built and equals the Chronicle; `promote` it"
        typer.echo(f"Generation {built.number} of {projection} {what}.")


def promote(
    projection: Name,
    reason: Reason = "",
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Compare what `rebuild --no-promote` has built with the Chronicle, and let it serve."""

    async def work(rebuilding: "Rebuilding") -> "Generation":
        return await rebuilding.promote()

    promoted = _work(projection, reason, data, work, as_json=as_json)
    if not as_json:
        typer.echo(f"Generation {promoted.number} of {projection} serves.")


def rollback(
    projection: Name,
    reason: Reason = "",
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Bring the generation that served before up to the Chronicle, and let it serve again."""

    async def work(rebuilding: "Rebuilding") -> "Generation":
        return await rebuilding.roll_back()

    back = _work(projection, reason, data, work, as_json=as_json)
    if not as_json:
        typer.echo(f"Generation {back.number} of {projection} serves again.")


def generations(
    projection: Name, data: DataFolder = Path(".moot"), as_json: JsonOutput = False
) -> None:
    """List the copies of a projection's tables: which serves, is built, or can be gone back to."""
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import
    from moot.projector import generations as registry  # noqa: PLC0415 - as above
    from moot.projector.building import position_of  # noqa: PLC0415 - as above

    async def work(operator: "Operator") -> list[dict[str, Any]]:
        await operator.exists(projection)
        found = await registry.generations(operator.pool, projection)
        return [{**_shown(g), "position": await position_of(operator.pool, g)} for g in found.all]

    listed = operate(servers_of(data), work)
    if as_json:
        typer.echo(json.dumps(listed))
        return
    columns = ("generation", "role", "schema", "position", "created_at", "promoted_at")
    tables.show(
        ("generation", "role", "schema", "position", "created", "promoted"),
        (["" if each[name] is None else str(each[name]) for name in columns] for each in listed),
    )


def _shown(of: "Generation") -> dict[str, Any]:
    return {
        "generation": of.number,
        "role": of.role,
        "schema": of.schema,
        "created_at": in_utc(of.created_at),
        "promoted_at": None if of.promoted_at is None else in_utc(of.promoted_at),
    }


def _rebuild_key(projection: str, key: str, reason: str, data: Path) -> None:
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import

    async def work(operator: "Operator") -> str:
        await operator.exists(projection)
        try:
            command = RebuildKey(by=operator.by, projection=projection, key=key, reason=reason)
        except ValueError as error:
            raise CommandError(f"{key!r} is no stream's name: CATEGORY/ID.") from error
        if await operator.state_of(projection) == "paused":
            raise CommandError(f"{projection} is paused: resume it first.")
        done = await operator.does(projection, command)
        await operator.carried_out(projection, done.position)
        return f"{key} in {projection} is what the Chronicle says up to {done.position}."

    typer.echo(operate(servers_of(data), work))


def _work(
    projection: str,
    reason: str,
    data: Path,
    work: "Work",
    *,
    as_json: bool,
) -> "Generation":
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import
    from moot.projector.rebuilding import CONNECTIONS  # noqa: PLC0415 - as above

    async def run(operator: "Operator") -> "Generation":
        await operator.exists(projection)
        return await on_generations(operator, projection, reason, work, as_json=as_json)

    return operate(servers_of(data), run, connections=CONNECTIONS, is_long=True)


async def on_generations(
    operator: "Operator", projection: str, reason: str, work: "Work", *, as_json: bool
) -> "Generation":
    """Do `work` on a projection's generations, and show how it goes. Raises CommandError.

    The operator needs as many connections as `Rebuilding` does.
    """
    from moot.projector.building import BuildError  # noqa: PLC0415 - asyncpg is slow to import
    from moot.projector.plain.chronicle_fold import CannotCompareError  # noqa: PLC0415 - as above
    from moot.projector.projections import PROJECTIONS  # noqa: PLC0415 - as above
    from moot.projector.rebuilding import Rebuilding  # noqa: PLC0415 - as above
    from moot.runtime.projection_turn import StoppedError  # noqa: PLC0415 - as above

    known = {each.name: each for each in PROJECTIONS}.get(projection)
    if known is None:
        raise CommandError(f"This version of Moot doesn't know how {projection} is built.")

    async def record(number: int) -> None:
        command = PromoteGeneration(
            by=operator.by, projection=projection, generation=number, reason=reason
        )
        await operator.does(projection, command)

    with _telling(as_json=as_json) as tell:
        rebuilding = Rebuilding(known, operator.chronicle, operator.pool, record, tell)
        try:
            return await work(rebuilding)
        except (BuildError, CannotCompareError, StoppedError) as error:
            raise CommandError(f"Not done: {error}.") from error


@contextmanager
def _telling(*, as_json: bool) -> "Generator[Callable[[Built], None]]":
    """Show how it goes: a line of JSON each time, or a bar on stderr."""
    if as_json:
        yield lambda at: typer.echo(json.dumps(_told(at)))
        return
    columns = (
        TextColumn("{task.fields[doing]}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f}, {task.fields[rate]} events/s, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", doing="building", rate="?", total=0)

        def show(at: "Built") -> None:
            rate = "?" if at.events_per_second is None else f"{at.events_per_second:.0f}"
            bar.update(task, completed=at.position, total=at.head, doing=at.doing, rate=rate)

        yield show


def _told(at: "Built") -> dict[str, Any]:
    left = at.seconds_left
    rate = at.events_per_second
    return {
        "projection": at.generation.projection,
        "generation": at.generation.number,
        "doing": at.doing,
        "position": at.position,
        "head": at.head,
        "events_per_second": None if rate is None else round(rate, 1),
        "seconds_left": None if left is None else round(left, 1),
    }
