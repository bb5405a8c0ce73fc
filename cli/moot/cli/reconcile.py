"""`moot projections reconcile`: what to do when a Chronicle was lost, replaced or has holes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, assert_never

import typer

from moot.cli.errors import CommandError, SettingsError
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.rebuilding import on_generations
from moot.cli.when import in_utc
from moot.cli.whereabouts import servers_of
from moot.contracts.ids import Position
from moot.contracts.operations import AcceptHole

if TYPE_CHECKING:
    from moot.cli.operating import Operator
    from moot.projector.generations import Generation
    from moot.projector.rebuilding import Rebuilding
    from moot.runtime.belonging import Mismatch
    from moot.runtime.chronicle import Hole
    from moot.runtime.loss import Diagnosis, Lost

Name = Annotated[
    str | None, typer.Argument(metavar="[PROJECTION]", help="As `list` names it; without, all.")
]
Holes = Annotated[
    list[str] | None,
    typer.Option(metavar="AFTER-BEFORE", help="Go on past this hole; may be given several times."),
]
Rebuild = Annotated[
    bool,
    typer.Option("--rebuild", help="Build the tables anew from the Chronicle that is there."),
]
Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]

_HOLE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")

RESTORE = (
    "Put the right stream CHRONICLE back (`moot restore`, or the server's store from before"
    " it was lost). What this one has taken meanwhile is gone then. Nothing else is to do: what"
    " stopped looks again every 2 s, and goes on."
)

TAKE_IT = (
    "Take the Chronicle that is there for the right one: build the tables anew from it, and let"
    " those serve. What people were shown that isn't in it is gone. The old tables stay beside"
    " them until the next rebuild."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way out, and the command for it, where it is one of ours."""

    does: str
    command: str | None


def reconcile(
    projection: Name = None,
    accept_hole: Holes = None,
    rebuild: Rebuild = False,
    reason: Reason = "",
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Say which projections aren't of this Chronicle, what that means, and what can be done.

    With --rebuild do it, for those that aren't. Exit code 1 when there is one, 0 when there is
    none (any more).
    """
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import
    from moot.projector.rebuilding import CONNECTIONS  # noqa: PLC0415 - as above

    holes = [_hole(text) for text in accept_hole or ()]
    if holes and projection is None:
        raise SettingsError("Say which projection is to go on past the hole.")
    if rebuild and not reason.strip():
        raise SettingsError("Say why this Chronicle is the right one: --reason.")

    async def work(operator: "Operator") -> "list[Diagnosis]":
        from moot.runtime.loss import diagnose  # noqa: PLC0415 - as above

        if projection is not None:
            await operator.exists(projection)
            await _accept(operator, projection, holes, reason)
        found = await diagnose(operator.pool, operator.chronicle, projection)
        if not rebuild:
            return found
        for each in found:
            if each.mismatch is not None or holes:
                await _rebuild(operator, each, reason, as_json=as_json)
        return await diagnose(operator.pool, operator.chronicle, projection)

    found = operate(servers_of(data), work, connections=CONNECTIONS, is_long=rebuild)
    _tell(found, as_json=as_json)


def _hole(text: str) -> "Hole":
    from moot.runtime.chronicle import Hole  # noqa: PLC0415 - as above

    found = _HOLE.fullmatch(text)
    if found is None:
        raise SettingsError(f"--accept-hole {text}: two positions are wanted, e.g. 41-44.")
    return Hole(int(found[1]), int(found[2]))


async def _accept(
    operator: "Operator", projection: str, holes: "Sequence[Hole]", reason: str
) -> None:
    """Record that the projection goes on past `holes`; wait until it has, if that is all of them.

    Raises CommandError for what isn't a hole.
    """
    from moot.runtime.loss import diagnose  # noqa: PLC0415 - as above

    if not holes:
        return
    there = await operator.chronicle.holes()
    for hole in holes:
        if hole not in there:
            known = ", ".join(f"{one.after}-{one.before}" for one in there) or "none"
            raise CommandError(
                f"The Chronicle has no hole {hole.after}-{hole.before}; there are: {known}."
            )
    position = 0
    for hole in holes:
        command = AcceptHole(
            by=operator.by,
            projection=projection,
            after=hole.after,
            before=Position(hole.before),
            reason=reason,
        )
        position = (await operator.does(projection, command)).position
    (found,) = await diagnose(operator.pool, operator.chronicle, projection)
    if found.mismatch is None:
        await operator.carried_out(projection, position)


async def _rebuild(operator: "Operator", found: "Diagnosis", reason: str, *, as_json: bool) -> None:
    """Let tables serve that are built from this Chronicle. Raises CommandError.

    What was built before, by whomever, may be of another Chronicle: it is begun anew.
    """
    if found.holes:
        _, _, taken = _choices(found)
        raise CommandError(f"{found.projection}: {found.mismatch}. Accept that: {taken.command}")

    async def work(rebuilding: "Rebuilding") -> "Generation":
        return await rebuilding.rebuild(from_scratch=True, accept_lower=True)

    await on_generations(operator, found.projection, reason, work, as_json=as_json)


def _tell(found: "Sequence[Diagnosis]", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_shown(each) for each in found]))
    else:
        typer.echo("\n\n".join(_told(each) for each in found) or "There are no projections yet.")
    if any(each.mismatch is not None for each in found):
        raise typer.Exit(CommandError.exit_code)


def _told(found: "Diagnosis") -> str:
    if found.mismatch is None:
        return f"{found.projection} at {found.position}: nothing to reconcile ({found.state})."
    lines = [f"{found.projection} at {found.position} ({found.state}): {found.mismatch}."]
    lines += [f"  Lost: {_lost(each)}." for each in found.lost]
    lines += [f"  {_meaning(found, found.mismatch)}", "  Your choices:"]
    for number, choice in enumerate(_choices(found), start=1):
        lines.append(f"  {number}. {choice.does}")
        if choice.command is not None:
            lines.append(f"     {choice.command}")
    return "\n".join(lines)


def _lost(lost: "Lost") -> str:
    since = "an unknown time" if lost.since is None else in_utc(lost.since)
    until = "an unknown time" if lost.until is None else in_utc(lost.until)
    which = f"position {lost.first}" if lost.first == lost.last else ""
    which = which or f"positions {lost.first} to {lost.last}"
    return f"{which}, stored between {since} and {until}"


def _meaning(found: "Diagnosis", mismatch: "Mismatch") -> str:
    """Say what people have seen, and what they would see."""
    from moot.runtime.belonging import (  # noqa: PLC0415 - as above
        AnotherChronicle,
        AnotherEvent,
        Holed,
        Shorter,
    )

    match mismatch:
        case AnotherChronicle():
            return (
                f"All that people have been shown, up to {found.position}, is of a Chronicle that"
                f" isn't here; this one has {found.head} positions of its own, which nobody is"
                " shown. Commands are decided on this one."
            )
        case Shorter():
            return (
                "People have been shown those events, and still are, though they aren't in the"
                " Chronicle: debates may go on as if they had never happened, and their positions"
                " will be those of other events."
            )
        case AnotherEvent():
            return (
                "Up to a point this is the Chronicle that was applied, then other events follow:"
                " it was restored from an older state and written to. What people were shown"
                " after that point isn't in the Chronicle, and what is there instead isn't shown."
            )
        case Holed(holes):
            seen = any(hole.after < found.position for hole in holes)
            return (
                "Of what is missing before the checkpoint, people have been shown what was applied"
                " before it was lost; a rebuild won't have it."
                if seen
                else "Nobody has been shown what is missing, and nobody will be."
            )
        case _:
            assert_never(mismatch)


def _choices(found: "Diagnosis") -> list[Choice]:
    ours = f"moot projections reconcile {found.projection}"
    if not found.holes:
        return [Choice(RESTORE, None), Choice(TAKE_IT, f"{ours} --rebuild --reason '…'")]
    holes = " ".join(f"--accept-hole {hole.after}-{hole.before}" for hole in found.holes)
    stay = "Accept that these events are lost, and go on without them; rows stay as they are."
    anew = "The same, and make the rows anew, as if these events had never been."
    return [
        Choice(RESTORE, None),
        Choice(stay, f"{ours} {holes} --reason '…'"),
        Choice(anew, f"{ours} {holes} --rebuild --reason '…'"),
    ]


def _shown(found: "Diagnosis") -> dict[str, Any]:
    mismatch = found.mismatch
    told = None if mismatch is None else str(mismatch)
    meaning = None if mismatch is None else _meaning(found, mismatch)
    return {
        "projection": found.projection,
        "position": found.position,
        "head": found.head,
        "state": found.state,
        "problem": told,
        "kind": None if mismatch is None else mismatch.kind,
        "meaning": meaning,
        "lost": [
            {
                "first": each.first,
                "last": each.last,
                "since": None if each.since is None else in_utc(each.since),
                "until": None if each.until is None else in_utc(each.until),
            }
            for each in found.lost
        ],
        "holes": [f"{hole.after}-{hole.before}" for hole in found.holes],
        "choices": []
        if mismatch is None
        else [{"does": each.does, "command": each.command} for each in _choices(found)],
    }
