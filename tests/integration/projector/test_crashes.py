"""A projector that is killed at any point changes nothing of what its tables come to say."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import pytest

from moot.cli.local.postgres_server import PostgresServer
from moot.projector.debates.projection import DEBATES
from moot.projector.projections import PROJECTIONS
from moot.runtime import projection_operations, projection_turn
from moot.runtime.projection import Projection
from tests.integration.projector.crash_story import Outcome, Story, projecting
from tests.support.crashing import Main, Process, Sent, crashing
from tests.support.servers import fresh_database

SAMPLE = 61
"""The small size kills at each of so many points."""

SOME = 7
"""Of all projections at once each so-manieth point: what one of them does is what each does."""

STILL_ASIDE = (7, 10, 13)
"""The positions of what the story leaves aside in every projection that reads topics."""

LEAST_SUSPENSIONS = 200
MOST_DEATHS = 100

Death = tuple[int, Sent]


@dataclass
class Trial:
    """Tells the story to one process after another; all but the last are killed."""

    server: PostgresServer
    template: str
    projections: Sequence[Projection] = (DEBATES,)

    async def comes_to(self, *deaths: Death) -> tuple[Outcome, int]:
        """Return what it comes to, and how many deaths there were before it was over."""
        async with fresh_database(self.server, self.template) as url:
            story = Story(url, self.projections)
            died: list[Process] = []
            living = asyncio.create_task(
                self._live(url, projecting(story.chronicle, self.projections), deaths, died)
            )
            with pytest.MonkeyPatch.context() as patch:
                telling = asyncio.create_task(story.happens(patch))
                await asyncio.wait({living, telling}, return_when=asyncio.FIRST_COMPLETED)
                living.cancel()
                await asyncio.wait({living})
                if not living.cancelled():
                    telling.cancel()
                    living.result()
                return await telling, len(died)

    async def _live(
        self, url: str, main: Main, deaths: Sequence[Death], died: list[Process]
    ) -> None:
        for dies_at, sent in deaths:
            async with crashing(url, main, dies_at, sent) as process:
                await process.died()
                died.append(process)
        async with crashing(url, main):
            await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def many_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction for every few events, and little waiting."""
    monkeypatch.setattr(projection_turn, "FETCH", 4)
    monkeypatch.setattr(projection_turn, "MOST_EVENTS", 6)
    monkeypatch.setattr(projection_turn, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(projection_operations, "MOST_RELEASED", 2)


async def left_by_each_death(database_url: str, sent: Sent) -> list[list[str]]:
    """Return what a process has written when it is killed at suspension 1, 2, …"""

    async def main(url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO done VALUES ('work')")
        finally:
            await connection.execute("INSERT INTO done VALUES ('tidied up')")
            await asyncio.Event().wait()

    looking = await asyncpg.connect(database_url)
    found: list[list[str]] = []
    while len(found) < 2 or len(found[-1]) < 2:
        async with crashing(database_url, main, len(found) + 1, sent) as process:
            await process.died()
        rows = await looking.fetch("DELETE FROM done RETURNING what")
        found.append([row["what"] for row in rows])
    await looking.close()
    return found


async def test_a_process_that_is_killed_does_nothing_more(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE done (what text NOT NULL)")
    await connection.close()
    lost = await left_by_each_death(database_url, Sent.LOST)
    carried_out = await left_by_each_death(database_url, Sent.CARRIED_OUT)
    assert carried_out[-2:] == [["work"], ["work", "tidied up"]]
    assert not any(carried_out[:-2]), "what wasn't committed"
    assert lost == [[], *carried_out]


async def check_every(step: int, trial: Trial, sent: Sent) -> None:
    """Kill at each `step`-th suspension there is, once each; the tables come to the same."""
    expected, _ = await trial.comes_to()
    check(expected, trial.projections)
    deaths = 0
    for dies_at in itertools.count(1, step):
        outcome, died = await trial.comes_to((dies_at, sent))
        assert outcome == expected, f"killed at suspension {dies_at}, with what it sent {sent}"
        deaths += died
        if not died:
            break
    assert deaths * step > LEAST_SUSPENSIONS


def check(outcome: Outcome, projections: Sequence[Projection]) -> None:
    """Check that what all others are compared with is right itself."""
    assert all(outcome.tables[table] for projection in projections for table in projection.tables)
    for reading in (each for each in projections if "topic" in each.categories):
        aside = {position for name, position, *_ in outcome.letters if name == reading.name}
        assert aside >= set(STILL_ASIDE)
        assert reading is not DEBATES or aside == set(STILL_ASIDE), "the operator's projection"
    for projection, position, events_applied, *_ in outcome.checkpoints:
        assert position == events_applied, projection
    for tally in outcome.tally.values():
        assert set(tally.values()) <= {1}, "each event took effect once"


async def test_the_story_has_something_for_every_projection(
    postgres_server: PostgresServer, migrated: str
) -> None:
    outcome, _ = await Trial(postgres_server, migrated, PROJECTIONS).comes_to()
    check(outcome, PROJECTIONS)


@pytest.mark.parametrize("sent", Sent)
async def test_a_kill_changes_nothing(
    postgres_server: PostgresServer, migrated: str, sent: Sent
) -> None:
    await check_every(SAMPLE, Trial(postgres_server, migrated), sent)


@pytest.mark.hard
@pytest.mark.parametrize("sent", Sent)
@pytest.mark.parametrize(
    ("projections", "step"), [((DEBATES,), 1), (PROJECTIONS, SOME)], ids=["one", "all"]
)
async def test_a_kill_at_any_point_changes_nothing(
    postgres_server: PostgresServer,
    migrated: str,
    sent: Sent,
    projections: Sequence[Projection],
    step: int,
) -> None:
    await check_every(step, Trial(postgres_server, migrated, projections), sent)


@pytest.mark.parametrize(
    ("projections", "lives"),
    [((DEBATES,), 83), pytest.param(PROJECTIONS, 401, marks=pytest.mark.hard)],
)
async def test_being_killed_again_and_again_changes_nothing(
    postgres_server: PostgresServer, migrated: str, projections: Sequence[Projection], lives: int
) -> None:
    trial = Trial(postgres_server, migrated, projections)
    expected, _ = await trial.comes_to()
    deaths = zip(itertools.repeat(lives, MOST_DEATHS), itertools.cycle(Sent), strict=False)
    outcome, died = await trial.comes_to(*deaths)
    assert outcome == expected
    assert 2 < died < MOST_DEATHS
