"""What an operator does with a projection's generations: rebuild, promote, roll back.

Each promotion is an event first; who is killed between that and the switch does it again, and the
event, found in the Chronicle, is obeyed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from moot.projector import generations
from moot.projector.building import Builder, BuildError, Doing, Progress, Tell, position_of
from moot.projector.generations import Generation
from moot.projector.plain.chronicle_fold import ChronicleFold
from moot.projector.plain.folded_along import FoldedAlong
from moot.projector.plain.projections import PLAIN
from moot.projector.promoting import check_dead_letters, check_not_paused, compared, switch
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Pool
from moot.runtime.projection import Projection

CONNECTIONS = 4
"""Of the pool: the builder's, the comparison's, the switch's, and one to look with."""


@dataclass(frozen=True)
class Rebuilding:
    """One projection's. `record` appends the operation that promotes a generation, by number."""

    projection: Projection
    chronicle: Chronicle
    pool: Pool
    record: Callable[[int], Awaitable[None]]
    tell: Tell

    async def rebuild(
        self, *, from_scratch: bool = False, promote: bool = True, accept_lower: bool = False
    ) -> Generation:
        """Build a generation beside the serving one, or go on with it; then `promote` it.

        `from_scratch` drops what was built before. `accept_lower`: see `promote`.
        """
        name = self.projection.name
        if promote and not accept_lower:
            await check_not_paused(self.pool, name)
        before = (await generations.generations(self.pool, name)).building
        if from_scratch and before is not None:
            await generations.drop(self.pool, before)
        await generations.drop_outdated(self.pool, name)
        built = await generations.begun(self.pool, name)
        return await self._brought_up(built, promote=promote, accept_lower=accept_lower)

    async def promote(self, *, accept_lower: bool = False) -> Generation:
        """Compare what has been built with the Chronicle, and let it serve.

        With `accept_lower` it isn't held against the serving one, which was of another Chronicle:
        it may be behind that, and have set aside more. Raises BuildError.
        """
        if not accept_lower:
            await check_not_paused(self.pool, self.projection.name)
        found = await generations.generations(self.pool, self.projection.name)
        if found.building is None:
            raise BuildError(f"nothing is built of {self.projection.name}: rebuild it first")
        return await self._brought_up(found.building, promote=True, accept_lower=accept_lower)

    async def roll_back(self) -> Generation:
        """Bring the generation that served before up to the Chronicle, and let it serve again.

        It isn't compared with the Chronicle. Raises BuildError.
        """
        await check_not_paused(self.pool, self.projection.name)
        found = await generations.generations(self.pool, self.projection.name)
        if found.previous is None:
            raise BuildError(f"{self.projection.name} has no generation to go back to")
        builder = self._builder(self.chronicle, found.previous)
        async with builder.following():
            await builder.reaches(await self.chronicle.head())
            await check_dead_letters(self.pool, found.previous)
            await self._switch(found.previous, accept_lower=False)
        return found.previous

    async def _brought_up(
        self, built: Generation, *, promote: bool, accept_lower: bool
    ) -> Generation:
        fold = ChronicleFold(PLAIN[self.projection.name])
        # What an earlier build has done already; the rest is folded as it is built.
        await fold.advance(self.chronicle, await position_of(self.pool, built))
        head = await self.chronicle.head()
        builder = self._builder(FoldedAlong(self.chronicle, fold, head), built)
        async with builder.following():
            position = await builder.reaches(head)
            self._say(built, "comparing", position, head)
            await generations.count_rows(self.pool, built, self.projection.tables)
            await compared(self.pool, self.chronicle, fold, built)
            if not promote:
                return built
            if not accept_lower:
                await check_dead_letters(self.pool, built)
            await self._switch(built, accept_lower=accept_lower)
        await generations.drop_outdated(self.pool, self.projection.name)
        return built

    async def _switch(self, to: Generation, *, accept_lower: bool) -> None:
        if not accept_lower:
            await check_not_paused(self.pool, to.projection)
        await self.record(to.number)
        head = await self.chronicle.head()
        self._say(to, "switching", await position_of(self.pool, to), head)
        position = await switch(self.pool, to, accept_lower=accept_lower)
        self._say(to, "serving", position, max(head, position))

    def _say(self, of: Generation, doing: Doing, position: int, head: int) -> None:
        self.tell(Progress(of, doing, position, head))

    def _builder(self, chronicle: Chronicle, generation: Generation) -> Builder:
        return Builder(self.projection, chronicle, self.pool, generation, self.tell)
