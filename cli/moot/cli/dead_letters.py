"""`moot dead-letters`: events that a projection has set aside, and what is to become of them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli import tables
from moot.cli.errors import CommandError
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.when import in_utc
from moot.cli.whereabouts import servers_of
from moot.contracts.ids import Position
from moot.contracts.operations import RetryDeadLetter, SkipDeadLetter

if TYPE_CHECKING:
    from moot.cli.operating import Operator

app = typer.Typer(no_args_is_help=True, help="Events that a projection has set aside.")

LIST = """
SELECT d.*, (
    SELECT count(*) FROM dead_letters AS w
    WHERE w.projection = d.projection AND w.parked_behind = d.position
) AS waiting
FROM dead_letters AS d
WHERE d.parked_behind IS NULL AND ($1::text IS NULL OR d.projection = $1)
ORDER BY d.projection, d.position
"""

SHOW = """
SELECT d.*, (
    SELECT count(*) FROM dead_letters AS w
    WHERE w.projection = d.projection AND w.parked_behind = d.position
) AS waiting
FROM dead_letters AS d
WHERE d.projection = $1 AND d.position = $2
"""

STATEMENTS = (LIST, SHOW)

Projection = Annotated[str, typer.Argument(metavar="PROJECTION", help="As `list` names it.")]
At = Annotated[int, typer.Argument(metavar="POSITION", help="The bad event's position.")]


@dataclass(frozen=True, slots=True)
class Letter:
    """`waiting` counts the events of its key that are parked behind this one."""

    projection: str
    position: int
    key: str
    event_id: str
    event_type: str | None
    reason: str
    parked_behind: int | None
    waiting: int
    stored_at: str
    parked_at: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: `dead` is what is set aside of the key now, the bad event in front."""

    projection: str
    key: str
    operation_position: int
    dead: tuple[Letter, ...]


@app.command("list")
def list_(
    projection: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Show the bad events, each with how many wait behind it."""
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import

    letters = operate(servers_of(data), lambda operator: _bad(operator, projection))
    if as_json:
        typer.echo(json.dumps([asdict(letter) for letter in letters]))
        return
    if not letters:
        typer.echo("There are none.")
        return
    tables.show(
        ("projection", "position", "key", "waiting behind", "reason"),
        (
            (each.projection, str(each.position), each.key, str(each.waiting), each.reason)
            for each in letters
        ),
        long={"reason"},
    )


@app.command("show")
def show(
    projection: Projection,
    position: At,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Show one of them, with the event as the Chronicle has it."""
    from moot.cli.operating import operate  # noqa: PLC0415 - as above

    async def work(operator: "Operator") -> tuple[Letter, str]:
        letter = await _letter(operator, projection, position)
        stored = await operator.chronicle.get(position)
        return letter, "" if stored is None else stored.body.decode(errors="replace")

    letter, event = operate(servers_of(data), work)
    shown = {**asdict(letter), "event": event}
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for name, value in shown.items():
        typer.echo(f"{name:<14} {'' if value is None else tables.one_line(str(value))}")


@app.command("retry")
def retry(
    projection: Projection,
    position: At,
    reason: Annotated[str, typer.Option(help="Why now; it is recorded.")] = "",
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Apply the event again, then what waits behind it; exit code 1 when one still fails."""
    from moot.cli.operating import operate  # noqa: PLC0415 - as above

    async def work(operator: "Operator") -> Done:
        _, letter = await _looked_at(operator, projection, position)
        command = RetryDeadLetter(
            by=operator.by,
            projection=projection,
            key=letter.key,
            position=Position(position),
            reason=reason,
        )
        done = await operator.does(projection, command)
        return await _come_of(operator, letter, done.position)

    _tell(operate(servers_of(data), work), position, as_json=as_json)


@app.command("skip")
def skip(
    projection: Projection,
    position: At,
    reason: Annotated[str, typer.Option(help="Why it may never take effect; it is recorded.")],
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Leave the event out for good, and apply what waits behind it."""
    from moot.cli.operating import operate  # noqa: PLC0415 - as above

    async def work(operator: "Operator") -> Done:
        operations_seen, letter = await _looked_at(operator, projection, position)
        command = SkipDeadLetter(
            by=operator.by,
            projection=projection,
            key=letter.key,
            position=Position(position),
            reason=reason,
            operations_seen=operations_seen,
        )
        done = await operator.does(projection, command)
        return await _come_of(operator, letter, done.position)

    _tell(operate(servers_of(data), work), position, as_json=as_json)


async def _bad(operator: "Operator", projection: str | None) -> list[Letter]:
    if projection is not None:
        await operator.exists(projection)
    return [_of(row) for row in await operator.pool.fetch(LIST, projection)]


async def _letter(operator: "Operator", projection: str, position: int) -> Letter:
    await operator.exists(projection)
    row = await operator.pool.fetchrow(SHOW, projection, position)
    if row is None:
        raise CommandError(f"{projection} has no dead letter at {position}.")
    return _of(row)


async def _looked_at(operator: "Operator", projection: str, position: int) -> tuple[int, Letter]:
    """Return the bad event as it is after all that was done so far, and how much that was."""
    await operator.exists(projection)
    if await operator.state_of(projection) == "paused":
        raise CommandError(f"{projection} is paused: resume it first.")
    done = await operator.done_to(projection)
    await operator.carried_out(projection, done.position)
    letter = await _letter(operator, projection, position)
    if letter.parked_behind is not None:
        raise CommandError(
            f"{position} waits behind {letter.parked_behind}: deal with that one, and it follows."
        )
    return done.state.operations, letter


async def _come_of(operator: "Operator", letter: Letter, done_at: int) -> Done:
    await operator.carried_out(letter.projection, done_at)
    left = [one for one in await _bad(operator, letter.projection) if one.key == letter.key]
    return Done(letter.projection, letter.key, done_at, tuple(left))


def _tell(done: Done, position: int, *, as_json: bool) -> None:
    """Print what came of it. Raises CommandError when the key is still parked."""
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif not done.dead:
        typer.echo(f"{done.key} is up to date in {done.projection}.")
    for letter in done.dead:
        again = "is still" if letter.position == position else "is now"
        raise CommandError(
            f"{letter.position} {again} set aside, with {letter.waiting} behind it: {letter.reason}"
        )


def _of(row: Any) -> Letter:  # noqa: ANN401 asyncpg's Record, which isn't imported here
    return Letter(
        projection=row["projection"],
        position=row["position"],
        key=row["key"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        reason=row["reason"],
        parked_behind=row["parked_behind"],
        waiting=row["waiting"],
        stored_at=in_utc(row["stored_at"]),
        parked_at=in_utc(row["parked_at"]),
    )
