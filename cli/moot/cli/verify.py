"""`moot projections verify`: holds the tables against what the Chronicle says, row by row."""

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli.errors import SurroundingsError
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.whereabouts import servers_of

if TYPE_CHECKING:
    from moot.cli.operating import Operator
    from moot.projector.plain.comparison import Comparison, Difference

MOST_SHOWN = 20
"""Rows that are told of for each projection; JSON has them all."""

LONGEST_VALUE = 60


def verify(
    projection: Annotated[
        str | None, typer.Argument(metavar="[PROJECTION]", help="As `list` names it; else all.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Compare so many streams, at random.")] = 100,
    whole: Annotated[bool, typer.Option("--whole", help="Compare everything.")] = False,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Compare tables with an independent fold of the Chronicle; exit code 1 if they differ."""
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import
    from moot.projector.plain.chronicle_fold import CannotCompareError  # noqa: PLC0415 - as above

    async def work(operator: "Operator") -> "list[Comparison]":
        return await _compared(operator, projection, None if whole else sample)

    try:
        found = operate(servers_of(data), work, is_long=whole)
    except CannotCompareError as error:
        raise SurroundingsError(f"It can't be compared: {error}") from error
    if as_json:
        typer.echo(json.dumps([_shown(each) for each in found], default=datetime.isoformat))
    else:
        for comparison in found:
            _tell(comparison)
    if not all(comparison.equal for comparison in found):
        raise typer.Exit(1)


async def _compared(
    operator: "Operator", projection: str | None, sample: int | None
) -> "list[Comparison]":
    import random  # noqa: PLC0415 - only here

    from moot.projector.plain.projections import PLAIN  # noqa: PLC0415 - as above
    from moot.projector.verification import verify_all, verify_some  # noqa: PLC0415 - as above
    from moot.runtime.shared_following import SharedFollowing  # noqa: PLC0415 - as above

    if projection is not None:
        await operator.exists(projection)
    names = [projection] if projection is not None else list(PLAIN)
    if sample is not None:
        luck = random.SystemRandom()
        return [
            await verify_some(operator.pool, operator.chronicle, name, sample, luck)
            for name in names
        ]
    shared = SharedFollowing(operator.chronicle)
    comparing = (verify_all(operator.pool, shared, name) for name in names)
    return list(await asyncio.gather(*comparing))


def _tell(found: "Comparison") -> None:
    of = "" if found.streams is None else f" of {found.streams} streams"
    compared = f"{found.projection} at {found.position}: {found.rows} rows{of}"
    if found.equal:
        typer.echo(f"{compared}, all as the Chronicle says")
        return
    typer.echo(f"{compared}, {len(found.differences)} differences")
    for difference in found.differences[:MOST_SHOWN]:
        typer.echo(f"  {difference.told}")
        for line in _values(difference):
            typer.echo(f"    {line}")
    if len(found.differences) > MOST_SHOWN:
        typer.echo(f"  and {len(found.differences) - MOST_SHOWN} more; --json shows them")
    if found.not_looked_at:
        typer.echo(f"  and others: {found.not_looked_at} parts of the tables weren't looked at")


def _values(difference: "Difference") -> list[str]:
    expected, found = difference.expected or {}, difference.found or {}
    return [
        f"{column}: should be {_short(expected[column])}, is {_short(found[column])}"
        for column in difference.columns
    ]


def _short(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _shown(found: "Comparison") -> dict[str, Any]:
    differences = [{**asdict(each), "told": each.told} for each in found.differences]
    return {**asdict(found), "equal": found.equal, "differences": differences}
