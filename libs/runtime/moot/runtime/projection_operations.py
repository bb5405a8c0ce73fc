"""What operators do to a projection, carried out by its owner when it meets it in the Chronicle."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from moot.contracts.envelope import Recorded
from moot.contracts.ids import Position
from moot.contracts.operations import (
    DeadLetterSkipped,
    HoleAccepted,
    OperationEvent,
    ProjectionPaused,
    ProjectionResumed,
)
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Chronicle, Hole
from moot.runtime.database import Connection, is_outage
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.projection import Projection
from moot.runtime.reasons import reason_of

MOST_RELEASED = 200
"""The most dead letters of one transaction: an owner's transactions are short."""

WAITING = """
SELECT position FROM dead_letters
WHERE projection = $1 AND key = $2
    AND (parked_behind = $3 OR position = $3 AND parked_behind IS NULL)
ORDER BY position
LIMIT $4
"""

RELEASE = """
DELETE FROM dead_letters WHERE projection = $1 AND position = ANY ($2::bigint[])
"""

# What is left of a key waits behind its first, from now on for that one's reason.
BLAME = """
UPDATE dead_letters
SET
    reason = CASE WHEN position = $3 THEN $4::text ELSE 'parked behind ' || $3::bigint END,
    parked_behind = CASE WHEN position = $3 THEN NULL ELSE $3 END
WHERE projection = $1 AND key = $2
"""

STATEMENTS = (WAITING, RELEASE, BLAME)


def operations_of(projection: str) -> StreamName:
    return StreamName("operation", projection)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that an operator did, at its place."""

    position: Position
    event: OperationEvent


def operation(recorded: Recorded) -> Operation:
    """Raises UndecodableEventError for an event that is no operation."""
    event = recorded.event
    if not isinstance(event, OperationEvent):
        raise UndecodableEventError(f"position {recorded.position}: {event.type} is no operation")
    return Operation(recorded.position, event)


async def operations(chronicle: Chronicle, projection: str, after: int = 0) -> list[Operation]:
    """Return what was done to a projection after a position; what can't be read is left out."""
    found: list[Operation] = []
    for stored in await chronicle.read(operations_of(projection), after):
        try:
            found.append(operation(decoded(stored)))
        except UndecodableEventError:
            continue  # the projection sets it aside where it meets it
    return found


def skipped_by(done: Sequence[Operation]) -> set[int]:
    """Return the positions of the events that take no effect, by all decisions so far."""
    return {each.event.position for each in done if isinstance(each.event, DeadLetterSkipped)}


def accepted_by(done: Sequence[Operation]) -> set[Hole]:
    """Return the holes of the Chronicle that the projection may go past."""
    accepted = [each.event for each in done if isinstance(each.event, HoleAccepted)]
    return {Hole(event.after, event.before) for event in accepted}


def is_paused(done: Sequence[Operation]) -> bool:
    """Say whether it is paused after all of `done`."""
    turns = [o for o in done if isinstance(o.event, ProjectionPaused | ProjectionResumed)]
    return bool(turns) and isinstance(turns[-1].event, ProjectionPaused)


@dataclass(frozen=True, slots=True)
class _Candidate:
    position: int
    event: Recorded | Exception | None
    """None for one that was skipped."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Dead letters of one key, in order, read again from the Chronicle; `rest`: there are more."""

    key: str
    candidates: Sequence[_Candidate]
    rest: bool


async def waiting(
    projection: Projection, connection: Connection, letter: tuple[str, int]
) -> list[int]:
    """Return where the bad event is that `letter` names by key and position, and what waits for it.

    Only the projection's owner may go by that: nobody else changes its dead letters.
    """
    rows = await connection.fetch(WAITING, projection.name, *letter, MOST_RELEASED)
    return [row["position"] for row in rows]


async def read_again(
    projection: Projection,
    chronicle: Chronicle,
    key: str,
    positions: Sequence[int],
    skipped: AbstractSet[int],
) -> Waiting:
    """Return the events at `positions` of a key."""
    own = operations_of(projection.name).subject
    reading = (_candidate(chronicle, position, skipped, own) for position in positions)
    found = await asyncio.gather(*reading)
    return Waiting(key, found, rest=len(positions) == MOST_RELEASED)


async def _candidate(
    chronicle: Chronicle, position: int, skipped: AbstractSet[int], own: str
) -> _Candidate:
    if position in skipped:
        return _Candidate(position, None)
    stored = await chronicle.get(position)
    if stored is None:
        return _Candidate(position, LookupError(f"the Chronicle has nothing at {position}"))
    if stored.subject == own:
        late = UndecodableEventError("an operation isn't carried out late: skip it, do it again")
        return _Candidate(position, late)
    try:
        return _Candidate(position, decoded(stored))
    except UndecodableEventError as error:
        return _Candidate(position, error)


async def release(projection: Projection, connection: Connection, found: Waiting) -> bool:
    """Apply what waits, in order, up to the first that fails, inside the caller's transaction.

    That one and all after it stay, with its reason. Returns whether there is one.
    """
    good, bad = _up_to_bad(found.candidates)
    applied, error = await _apply_in_order(projection, connection, good)
    if error is not None:
        bad = _Candidate(good[applied].position, error)
    released = [c.position for c in found.candidates if bad is None or c.position < bad.position]
    await connection.execute(RELEASE, projection.name, released)
    if bad is None or not isinstance(bad.event, Exception):
        return False
    reason = reason_of(bad.event)
    await connection.execute(BLAME, projection.name, found.key, bad.position, reason)
    return True


def _up_to_bad(candidates: Sequence[_Candidate]) -> tuple[list[Recorded], _Candidate | None]:
    good: list[Recorded] = []
    for candidate in candidates:
        if isinstance(candidate.event, Exception):
            return good, candidate
        if candidate.event is not None:
            good.append(candidate.event)
    return good, None


async def _apply_in_order(
    projection: Projection, connection: Connection, events: Sequence[Recorded]
) -> tuple[int, Exception | None]:
    """Apply as many as go; return how many, and what is wrong with the next, if there is one."""
    if not events:
        return 0, None
    try:
        async with connection.transaction():
            await projection.apply(connection, events)
    except Exception as error:
        if is_outage(error):
            raise
        if len(events) == 1:
            return 0, error
    else:
        return len(events), None
    half = len(events) // 2
    applied, error = await _apply_in_order(projection, connection, events[:half])
    if error is not None:
        return applied, error
    more, error = await _apply_in_order(projection, connection, events[half:])
    return half + more, error
