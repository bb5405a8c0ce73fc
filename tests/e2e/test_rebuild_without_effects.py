"""Everything is rebuilt beside a Moot at work: nobody is told, drawn or cancelled once more."""

import asyncio
from pathlib import Path

import pytest

from moot.cli.demo.cast import VOLUNTEERS
from moot.cli.demo.evidence import ANNOUNCED
from moot.contracts.debates import Stage
from moot.contracts.operations import GenerationPromoted
from moot.projector.projections import PROJECTIONS
from moot.runtime.chronicle import Stored
from moot.runtime.decoding import decoded
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.support.debate_story import play, small_debate
from tests.support.local_moot import moot
from tests.support.whole_moot import WholeMoot, whole_moot


@pytest.mark.timeout(240)
async def test_a_rebuild_of_everything_posts_and_commands_nothing(tmp_path: Path) -> None:
    async with whole_moot(tmp_path / "data") as running, running.client() as client:
        debate = play(client, running.keys, small_debate("told once"))
        played = await debate.from_start_to_end()
        await running.announced(played.topic_id)
        before = (await everything(running))[-1].position
        for projection in PROJECTIONS:
            name, data = projection.name, str(running.folder)
            done = await asyncio.to_thread(moot, "projections", "rebuild", name, "--data", data)
            assert done.code == 0, done.errors
        appended = [decoded(stored) for stored in await everything(running, before)]
        assert [type(each.event) for each in appended] == [GenerationPromoted] * len(PROJECTIONS)
        await all_are_at_work(running)
        told = await running.guild.messages_about(played.topic_id)
        assert [message["timesReceived"] for message in told] == [1] * len(ANNOUNCED)


async def all_are_at_work(running: WholeMoot) -> None:
    """Ticker, allocator and announcer have done what came of a topic that is later than all."""
    async with running.client() as client:
        debate = play(client, running.keys, small_debate("later"), volunteers=VOLUNTEERS[:2])
        topic = await debate.propose()
        await debate.sign_up(topic.id)
        await debate.reaches(topic.id, Stage.CANCELLED)
        await running.announced(topic.id, messages=2)


async def everything(running: WholeMoot, after: int = 0) -> list[Stored]:
    """Read what is stored after a position."""
    connection = NatsConnection()
    await connection.open(running.moot.nats, name="moot-test")
    try:
        chronicle, found = JetStreamChronicle(connection), list[Stored]()
        while page := await chronicle.page(after, 500):
            found += page
            after = page[-1].position
    finally:
        await connection.close()
    return found
