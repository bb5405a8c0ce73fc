"""Folding a Chronicle along with another's reading of it: fetched and decoded once for both."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from moot.contracts.subjects import Category
from moot.projector.plain.chronicle_fold import ChronicleFold
from moot.runtime.chronicle import Batch, Chronicle
from moot.runtime.shared_following import SharedFollowing


class FoldedAlong(SharedFollowing):
    """A Chronicle that `fold` takes in, up to `until`, as whoever follows it comes along.

    Where nobody takes the fold along, it stays: `ChronicleFold.advance` does the rest.
    """

    def __init__(self, chronicle: Chronicle, fold: ChronicleFold, until: int) -> None:
        super().__init__(chronicle)
        self._fold = fold
        self._until = until

    async def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        position = after
        async with aclosing(super().follow(after, batch=batch, category=category)) as following:
            async for found in following:
                if category is None and position <= self._fold.position < self._until:
                    self._fold.take(found, self._until)
                if found.events:
                    position = found.events[-1].position
                yield found
