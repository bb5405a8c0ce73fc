"""`moot status`: how far each projection has come, and how far the Chronicle goes."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from moot.cli import tables
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.when import in_utc
from moot.cli.whereabouts import servers_of

if TYPE_CHECKING:
    from moot.cli.operating import Operator
    from moot.runtime.projection_standing import Standing

BETWEEN_LOOKS = timedelta(milliseconds=500)
"""For how long rates are measured."""


def status(data: DataFolder = Path(".moot"), as_json: JsonOutput = False) -> None:
    """Show each projection's position, how far and how long it is behind, and what holds it up."""
    # asyncpg is slow to import.
    from moot.cli.operating import operate  # noqa: PLC0415

    found = operate(servers_of(data), _look)
    if as_json:
        typer.echo(json.dumps([_shown(each) for each in found], indent=2))
        return
    standing = ("position", "head", "behind", "for", "events/s", "state", "owner")
    columns = ("projection", *standing, "set aside", "verified", "error")
    tables.show(columns, map(_row, found), long={"error"})


def _row(of: "Standing") -> tuple[str, ...]:
    numbers = (of.position, of.head, of.behind, f"{of.waited.total_seconds():.1f} s")
    return (
        of.projection,
        *map(str, numbers),
        f"{of.rate or 0:.0f}",
        of.state,
        of.owner or "",
        str(of.parked),
        _verified(of),
        _trouble(of),
    )


async def _look(operator: "Operator") -> "list[Standing]":
    from moot.runtime.projection_standing import standings  # noqa: PLC0415

    before = await standings(operator.pool, operator.chronicle)
    await asyncio.sleep(BETWEEN_LOOKS.total_seconds())
    return await standings(operator.pool, operator.chronicle, before)


def _trouble(of: "Standing") -> str:
    """Say what holds it up, where nobody who runs could say it."""
    from moot.projector.projections import PROJECTIONS  # noqa: PLC0415

    if of.error or of.owner is not None:
        return of.error or ""
    if of.projection not in {each.name for each in PROJECTIONS}:
        return "this version of Moot doesn't have it"
    return "no projector has ever run it" if of.behind and not of.position else ""


def _verified(of: "Standing") -> str:
    if of.verified_at is None:
        return "not yet"
    if of.differences:
        return f"{of.differences} rows differ"
    return f"{(of.looked_at - of.verified_at).total_seconds():.0f} s ago"


def _shown(of: "Standing") -> dict[str, Any]:
    return {
        "projection": of.projection,
        "position": of.position,
        "head": of.head,
        "behind": of.behind,
        "seconds_behind": round(of.waited.total_seconds(), 3),
        "events_per_second": round(of.rate or 0.0, 1),
        "state": of.state,
        "owner": of.owner,
        "error": _trouble(of) or None,
        "dead_letters": of.parked,
        "verified_at": None if of.verified_at is None else in_utc(of.verified_at),
        "differences": of.differences,
        "updated_at": in_utc(of.updated_at),
    }
