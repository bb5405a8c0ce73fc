"""`moot topics watch`: a debate as it happens, whatever becomes of the API meanwhile."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from moot.cli.demo.cast import MODERATOR
from moot.cli.demo.play import Play
from moot.cli.local.process import Process
from moot.contracts.debates import Camp
from tests.support.debate_story import UNHURRIED, play, small_debate
from tests.support.local_moot import MOOT, environment
from tests.support.waiting import until, until_moment
from tests.support.whole_moot import PATIENCE, WholeMoot, lasting_moot

SHORTLY = timedelta(milliseconds=20)
WATCHED = replace(UNHURRIED, signup_takes=timedelta(seconds=10), round_takes=timedelta(seconds=5))
"""Long enough for an API that is killed twice, on a machine that has other work."""
ENDS_WITHIN = 20.0  # seconds
WITH_CTRL_C = ("env", "--default-signal=INT")
"""What was started in the background passes on that Ctrl-C isn't for it."""


@pytest.fixture(scope="module")
def doomed_moot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMoot]:
    with lasting_moot(tmp_path_factory.mktemp("watched") / "data") as moot:
        yield moot


@dataclass(frozen=True)
class Watch:
    """A `moot topics watch`, and all that it said, faults among it."""

    process: Process
    lines: list[str]

    @property
    def positions(self) -> list[int]:
        return [json.loads(line)["position"] for line in self.lines]

    async def has_said(self, lines: int) -> None:
        async def enough() -> bool:
            assert self.process.exit_code is None, self.lines
            return len(self.lines) >= lines

        await until(enough)

    async def ends(self) -> int:
        async def ended() -> bool:
            return self.process.exit_code is not None

        await until(ended, within=ENDS_WITHIN)
        self.process.drain()
        return await self.process.wait()


@asynccontextmanager
async def watching(moot: WholeMoot, topic_id: str, *options: str) -> AsyncGenerator[Watch]:
    lines: list[str] = []
    command = [*MOOT, "topics", "watch", topic_id, "--data", str(moot.folder), *options]
    process = Process([*WITH_CTRL_C, *command], environment=environment(), sink=lines.append)
    try:
        yield Watch(process, lines)
    finally:
        await process.kill()


async def kill_the_api_at(moot: WholeMoot, moments: Sequence[datetime]) -> None:
    for moment in moments:
        await until_moment(moment)
        await moot.restarted("api", moot.kill("api"))


async def goes_on(debate: Play, topic_id: str) -> None:
    await debate.sign_up(topic_id)
    seats = await debate.drawn(topic_id)
    await debate.argue(topic_id, seats)
    await debate.judge(topic_id, seats[Camp.JUDGE])


@pytest.mark.timeout(120)
async def test_a_debate_is_watched_to_its_verdict_across_restarts_of_the_api(
    doomed_moot: WholeMoot,
) -> None:
    async with doomed_moot.client(patience=PATIENCE) as client:
        debate = play(client, doomed_moot.keys, small_debate("watched"), pace=WATCHED)
        topic = await debate.propose()
        async with watching(doomed_moot, topic.id, "--json") as watch:
            await watch.has_said(1)
            amid_arguments = topic.debate_start_at + WATCHED.round_takes / 4
            kills = [topic.signup_open_at + SHORTLY, amid_arguments]
            await asyncio.gather(kill_the_api_at(doomed_moot, kills), goes_on(debate, topic.id))
            assert await watch.ends() == 0
        recorded = await client.list_events(category="topic", stream_id=topic.id).all()
    assert watch.positions == [event.position for event in recorded]
    assert recorded[-1].type == "moot.topic.verdict_submitted.v1"


async def test_ctrl_c_ends_it_without_a_word(doomed_moot: WholeMoot) -> None:
    async with doomed_moot.client(patience=PATIENCE) as client:
        debate = play(client, doomed_moot.keys, small_debate("left"), pace=WATCHED)
        topic = await debate.propose()
        async with watching(doomed_moot, topic.id) as watch:
            await watch.has_said(1)
            assert await watch.process.stop(signal.SIGINT, ENDS_WITHIN) == 0
            watch.process.drain()
            assert all(line.split()[0].isdecimal() for line in watch.lines)
        await debate.agents[MODERATOR].cancel_topic(topic.id, "seen enough")
        # Over already: it says what there was after a position, and ends.
        after = str(topic.position)
        async with watching(doomed_moot, topic.id, "--after", after) as later:
            assert await later.ends() == 0
    assert all(int(line.split()[0]) > topic.position for line in later.lines)
    assert "topic_cancelled" in later.lines[-1]


async def test_who_watches_what_nobody_serves_is_told_at_once(doomed_moot: WholeMoot) -> None:
    async with watching(doomed_moot, "0" * 32, "--api", "http://127.0.0.1:1") as watch:
        assert await watch.ends() == 3
    assert watch.lines[0].startswith("moot: Moot doesn't answer: ")
