"""What is folded along with a reading of the Chronicle is what would be folded by itself."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from moot.contracts.subjects import Category
from moot.projector.plain.chronicle_fold import ChronicleFold, batches
from moot.projector.plain.folded_along import FoldedAlong
from moot.projector.plain.projections import PLAIN
from moot.runtime.chronicle import Batch
from moot.runtime.memory import InMemoryChronicle
from tests.support.recording import everything, record


class CountingChronicle(InMemoryChronicle):
    """Counts how many events were fetched."""

    fetched = 0

    async def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        async with aclosing(
            super().follow(after, batch=min(batch, 7), category=category)
        ) as following:
            async for found in following:
                self.fetched += len(found.events)
                yield found


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("begins", [0, 1, 20])
async def test_what_is_read_is_folded_along_and_fetched_once(name: str, begins: int) -> None:
    chronicle = CountingChronicle(idle_seconds=0.01)
    last = await record(chronicle, everything())
    until = last - 3
    alone, fold = ChronicleFold(PLAIN[name]), ChronicleFold(PLAIN[name])
    await alone.advance(chronicle, until)
    await fold.advance(chronicle, begins)
    chronicle.fetched = 0
    along = FoldedAlong(chronicle, fold, until)
    async for _ in batches(along, begins, last):
        pass
    assert chronicle.fetched == last - begins
    assert fold.position == until
    assert fold.sums().digest == alone.sums().digest


async def test_who_reads_further_ahead_takes_nothing_along() -> None:
    chronicle = CountingChronicle(idle_seconds=0.01)
    last = await record(chronicle, everything())
    alone, fold = ChronicleFold(PLAIN["debates_v1"]), ChronicleFold(PLAIN["debates_v1"])
    await alone.advance(chronicle, last)
    along = FoldedAlong(chronicle, fold, last)
    async for _ in batches(along, 10, last):
        pass
    assert fold.position == 0
    async for _ in batches(along, 0, 12):
        pass
    async for _ in batches(along, 5, last):
        pass
    assert fold.position == last
    assert fold.sums().digest == alone.sums().digest
