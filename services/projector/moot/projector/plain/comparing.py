"""The tables of a projection compared with the plain fold, row by row."""

import asyncio
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector.plain import table_reading
from moot.projector.plain.chronicle_fold import (
    CannotCompareError,
    ChronicleFold,
    Sums,
    as_counted,
    batches,
    bucket_of,
    bucket_of_id,
    streams_in,
    subjects_of,
)
from moot.projector.plain.comparison import Comparison, differing
from moot.projector.plain.projections import PLAIN
from moot.projector.plain.stream_fold import PlainProjection, StreamFold
from moot.projector.plain.table import Row, row_hash, stream_of
from moot.runtime.chronicle import Chronicle, Stored
from moot.runtime.database import Connection
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.projection_operations import operations, skipped_by

EVENTS_AT_ONCE = 200

MOST_BUCKETS = 64
"""In how many of the differing buckets each row is looked at: a bound on what is kept."""


async def differences(
    connection: Connection,
    chronicle: Chronicle,
    projection_name: str,
    schema: str,
    until: int,
    *,
    streams: Collection[StreamName] | None = None,
) -> Comparison:
    """Compare the tables in `schema`, which are at `until`, with the Chronicle up to there.

    The caller's transaction is REPEATABLE READ, and its search path is changed. Everything is
    compared, or only `streams`. All of it takes long, with a snapshot open; see `all_differences`.
    Raises CannotCompareError, and what the servers' drivers raise.
    """
    plain = PLAIN[projection_name]
    if streams is None:
        return await all_differences(connection, chronicle, ChronicleFold(plain), schema, until)
    await table_reading.look_in(connection, schema)
    aside = await _set_aside(connection, chronicle, plain)
    return await _of_streams(connection, chronicle, plain, until, aside, frozenset(streams))


async def all_differences(
    connection: Connection, chronicle: Chronicle, fold: ChronicleFold, schema: str, until: int
) -> Comparison:
    """As `differences`, with a `fold` that goes on from where it is: near `until`, if possible.

    So the snapshot need not be open while most of the Chronicle is folded.
    """
    plain = fold.plain
    await fold.advance(chronicle, until)
    await table_reading.look_in(connection, schema)
    aside = await _set_aside(connection, chronicle, plain)
    unknown = [why for position, why in fold.unreadable.items() if position not in aside.positions]
    if unknown:
        raise CannotCompareError(f"{plain.name}: {unknown[0]}, and it isn't set aside")
    expected = fold.sums()
    for stream in fold.apart | aside.streams:
        await _fold_apart(chronicle, plain, stream, until, aside, expected)
    return await _compared(connection, chronicle, plain, until, aside, expected)


@dataclass(frozen=True, slots=True)
class _Aside:
    """Events that take no effect: set aside, or skipped by an operator."""

    positions: AbstractSet[int]
    streams: AbstractSet[StreamName]


async def _set_aside(
    connection: Connection, chronicle: Chronicle, plain: PlainProjection
) -> _Aside:
    letters = await table_reading.dead_letters(connection, plain)
    skipped = skipped_by(await operations(chronicle, plain.name))
    subjects = set(letters.values())
    for position in skipped:
        stored = await chronicle.get(position)
        subjects |= {stored.subject} if stored is not None else set()
    of_ours = {s for s in streams_in(subjects) if s.category in plain.categories}
    return _Aside(letters.keys() | skipped, of_ours)


async def _of_streams(
    connection: Connection,
    chronicle: Chronicle,
    plain: PlainProjection,
    until: int,
    aside: _Aside,
    streams: AbstractSet[StreamName],
) -> Comparison:
    expected: list[Row] = []
    for stream in streams:
        stored = await _read(chronicle, stream, until)
        expected += await _rows_of(plain, stream, stored, aside)
    found = await table_reading.rows_of(connection, plain, streams)
    return Comparison(
        projection=plain.name,
        position=until,
        streams=len(streams),
        rows=len(found),
        hash=_digest(found),
        expected_hash=_digest(expected),
        differences=differing(expected, found),
    )


def _digest(rows: Sequence[Row]) -> str:
    return f"{sum(map(row_hash, rows)) % 2**128:032x}"


async def _compared(
    connection: Connection,
    chronicle: Chronicle,
    plain: PlainProjection,
    until: int,
    aside: _Aside,
    expected: Sums,
) -> Comparison:
    there = Sums()
    async for row in table_reading.every_row(connection, plain):
        there.add(bucket_of(stream_of(row)), [row])
    pairs = enumerate(zip(expected.buckets, there.buckets, strict=True))
    buckets = [bucket for bucket, (should_be, found) in pairs if should_be != found]
    looked_at = frozenset(buckets[:MOST_BUCKETS])
    should_be, found = [], []
    if looked_at:
        every = table_reading.every_row(connection, plain)
        found = [row async for row in every if bucket_of(stream_of(row)) in looked_at]
        should_be = await _rows_in(chronicle, plain, until, aside, looked_at)
    return Comparison(
        projection=plain.name,
        position=until,
        streams=None,
        rows=there.rows,
        hash=there.digest,
        expected_hash=expected.digest,
        differences=differing(should_be, found),
        not_looked_at=len(buckets) - len(looked_at),
    )


async def _rows_in(
    chronicle: Chronicle,
    plain: PlainProjection,
    until: int,
    aside: _Aside,
    buckets: AbstractSet[int],
) -> list[Row]:
    """Go through the Chronicle again, for the streams of a few buckets only."""
    rows: list[Row] = []
    folds: dict[StreamName, StreamFold] = {}
    subjects = subjects_of(plain)
    async for batch in batches(chronicle, 0, until):
        theirs = [
            stored
            for stored in batch.events
            if stored.position <= until
            and stored.subject.startswith(subjects)
            and bucket_of_id(stored.subject.split(".", 2)[2]) in buckets
        ]
        for recorded in _effective(theirs, aside):
            fold = folds.setdefault(recorded.stream, plain.fold(recorded.stream))
            rows += fold.add(recorded)
    return [*rows, *(row for fold in folds.values() for row in fold.rows())]


async def _fold_apart(
    chronicle: Chronicle,
    plain: PlainProjection,
    stream: StreamName,
    until: int,
    aside: _Aside,
    sums: Sums,
) -> None:
    """Put what one stream really comes to in the place of how it was counted."""
    stored = await _read(chronicle, stream, until)
    bucket = bucket_of(stream)
    sums.add(bucket, as_counted(plain, _readable(stored)), -1)
    sums.add(bucket, await _rows_of(plain, stream, stored, aside))


async def _rows_of(
    plain: PlainProjection, stream: StreamName, stored: Sequence[Stored], aside: _Aside
) -> list[Row]:
    """Fold one stream, which may be long: others in this process have their turn meanwhile."""
    fold = plain.fold(stream)
    settled: list[Row] = []
    for start in range(0, len(stored), EVENTS_AT_ONCE):
        for recorded in _effective(stored[start : start + EVENTS_AT_ONCE], aside):
            settled += fold.add(recorded)
        await asyncio.sleep(0)
    return [*settled, *fold.rows()]


async def _read(chronicle: Chronicle, stream: StreamName, until: int) -> list[Stored]:
    if not streams_in([stream.subject]):
        return []  # a row's, whose id was changed by hand
    return [stored for stored in await chronicle.read(stream) if stored.position <= until]


def _effective(stored: Sequence[Stored], aside: _Aside) -> list[Recorded]:
    """Return the events that take effect. Raises CannotCompareError where one can't be read."""
    try:
        return [decoded(each) for each in stored if each.position not in aside.positions]
    except UndecodableEventError as error:
        raise CannotCompareError(
            f"it isn't set aside, and yet this version can't read it: {error}"
        ) from error


def _readable(stored: Sequence[Stored]) -> list[Recorded]:
    found: list[Recorded] = []
    for each in stored:
        with suppress(UndecodableEventError):
            found.append(decoded(each))
    return found
