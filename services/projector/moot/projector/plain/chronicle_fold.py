"""The whole Chronicle folded for one projection, in little memory, into sums of rows' hashes.

Streams are spread over buckets. A bucket's sum says whether the rows of all its streams are there,
as they should be, in whatever order they are met; no row is kept for it.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from zlib import crc32

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector.plain.stream_fold import PlainProjection, StreamFold
from moot.projector.plain.table import Row, row_hash
from moot.runtime.chronicle import Batch, Chronicle, Stored
from moot.runtime.decoding import UndecodableEventError, decoded

BUCKETS = 4096
FETCH = 500
"""As the projections' owners fetch: who asks for the same shares what is fetched and decoded."""


class CannotCompareError(Exception):
    """What the tables should hold can't be known; the text says why."""


def bucket_of(stream: StreamName) -> int:
    return bucket_of_id(stream.id)


def bucket_of_id(stream_id: str) -> int:
    return crc32(stream_id.encode()) % BUCKETS


class Sums:
    """How many rows there are, and what they hash to together, in each bucket."""

    def __init__(self) -> None:
        self.rows = 0
        self.buckets = [0] * BUCKETS

    def add(self, bucket: int, rows: Iterable[Row], sign: int = 1) -> None:
        for row in rows:
            self.rows += sign
            self.buckets[bucket] = (self.buckets[bucket] + sign * row_hash(row)) % 2**128

    @property
    def digest(self) -> str:
        """Return what says whether two sets of rows are equal."""
        return f"{sum(self.buckets) % 2**128:032x}"


@dataclass(slots=True)
class _Open:
    fold: StreamFold
    bucket: int


class ChronicleFold:
    """One projection's rows up to `position`, as sums. `advance` goes on.

    Only streams that aren't over are kept. An event that comes all the same after its stream was
    over, and what can't be decoded, sets the stream `apart`: it has to be folded by itself.
    """

    def __init__(self, plain: PlainProjection) -> None:
        self.plain = plain
        self.position = 0
        self.apart: set[StreamName] = set()
        self.unreadable: dict[int, str] = {}
        """By position, why an event couldn't be decoded."""
        self._sums = Sums()
        self._open: dict[StreamName, _Open] = {}
        self._subjects = subjects_of(plain)

    @property
    def open_streams(self) -> int:
        """Of how many streams something is kept."""
        return len(self._open)

    async def advance(self, chronicle: Chronicle, until: int) -> None:
        """Fold everything up to `until`. Raises CannotCompareError: the Chronicle ends before."""
        async for batch in batches(chronicle, self.position, until):
            self.take(batch, until)
        self.position = max(self.position, until)

    def take(self, batch: Batch, until: int) -> None:
        """Fold what is new of a batch that begins no later than after `position`."""
        known, before, subjects = batch.decoded, self.position, self._subjects
        for stored in batch.events:
            if before < stored.position <= until:
                self.position = stored.position
                if stored.subject.startswith(subjects):
                    self._take(stored, known)

    def sums(self) -> Sums:
        """Return the sums of all rows, of those too that may still change."""
        sums = Sums()
        sums.rows, sums.buckets = self._sums.rows, list(self._sums.buckets)
        for each in self._open.values():
            sums.add(each.bucket, each.fold.rows())
        return sums

    def add(self, recorded: Recorded) -> None:
        """Take the next event."""
        stream, kind = recorded.stream, type(recorded.event)
        known = self._open.get(stream)
        if known is None:
            if kind not in self.plain.begins:
                if kind in self.plain.changes:
                    self.apart.add(stream)
                return
            known = self._open[stream] = _Open(self.plain.fold(stream), bucket_of(stream))
        self._sums.add(known.bucket, known.fold.add(recorded))
        if known.fold.is_over:
            self._sums.add(known.bucket, known.fold.rows())
            del self._open[stream]

    def _take(self, stored: Stored, known: dict[int, Recorded]) -> None:
        recorded = known.get(stored.position)
        if recorded is None:
            try:
                recorded = known[stored.position] = decoded(stored)
            except UndecodableEventError as error:
                self.unreadable[stored.position] = str(error)
                self.apart |= streams_in([stored.subject])
                return
        self.add(recorded)


def streams_in(subjects: Iterable[str]) -> set[StreamName]:
    """Return the streams with these subjects, without those that no row could be of."""
    found: set[StreamName] = set()
    for subject in subjects:
        with suppress(ValueError):
            found.add(StreamName.parse(subject))
    return found


def subjects_of(plain: PlainProjection) -> tuple[str, ...]:
    """Return how the subjects begin whose events the projection is made of."""
    return tuple(f"chronicle.{category}." for category in plain.categories)


def as_counted(plain: PlainProjection, events: Sequence[Recorded]) -> list[Row]:
    """Return the rows of one stream's events that a ChronicleFold has in its sums.

    They differ from what the stream comes to where it is `apart`.
    """
    rows: list[Row] = []
    fold: StreamFold | None = None
    for recorded in events:
        if fold is None:
            if type(recorded.event) not in plain.begins:
                continue
            fold = plain.fold(recorded.stream)
        rows += fold.add(recorded)
        if fold.is_over:
            rows += fold.rows()
            fold = None
    return rows if fold is None else [*rows, *fold.rows()]


async def batches(chronicle: Chronicle, after: int, until: int) -> AsyncGenerator[Batch]:
    """Yield what comes after a position, up to the batch that `until` is in."""
    position = after
    if position >= until:
        return
    async with aclosing(chronicle.follow(after, batch=FETCH)) as following:
        async for batch in following:
            if batch.events:
                position = batch.events[-1].position
                yield batch
            elif batch.head >= until:
                return
            elif (head := await chronicle.head()) < until:
                raise CannotCompareError(f"the Chronicle ends at {head}, before {until}")
            if position >= until:
                return
