"""A projection that an operator has paused stays where it is, whatever copies of it there are."""

import pytest

from moot.projector.app import make_runners
from moot.projector.building import BuildError
from moot.projector.debates.projection import DEBATES
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from tests.integration.projector.running import reached, running
from tests.integration.projector.test_generations import Site
from tests.support.operating import Operator
from tests.support.recording import Recorder, everything
from tests.support.tables import contents


async def rows(pool: Pool) -> dict[str, list[str]]:
    return {name: of for name, of in (await contents(pool)).items() if name in DEBATES.tables}


async def test_no_copy_takes_the_place_of_a_paused_projection(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    site, operator = Site(pool, chronicle), Operator(chronicle, DEBATES.name)
    recorder, history = Recorder(chronicle), list(everything())
    last = await recorder.add(history[: len(history) // 2])
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        await site.rebuilding.rebuild()
        await reached(waiter, await operator.pauses(), [DEBATES.name])
        before = await rows(pool)
        await recorder.add(history[len(history) // 2 :])
        await site.rebuilding.rebuild(promote=False)
        rebuilding = site.rebuilding
        for work in (rebuilding.roll_back, rebuilding.rebuild, rebuilding.promote):
            with pytest.raises(BuildError, match="resume it first"):
                await work()
        assert await rows(pool) == before
        assert await site.promotions() == [2]

        await reached(waiter, await operator.resumes(), [DEBATES.name])
        assert (await rebuilding.promote()).number == 3
