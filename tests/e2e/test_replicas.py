"""Several of each service: the same debates, and one of them may die."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from moot.cli.demo.evidence import Evidence
from tests.support.debate_story import (
    BRISK,
    TO_BE_KILLED,
    failures,
    play,
    small_debate,
    stretched,
)
from tests.support.waiting import until_moment
from tests.support.whole_moot import PATIENCE, WholeMoot, lasting_moot

REPLICAS = {"ticker": 3, "allocator": 2, "announcer": 2, "projector": 2}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMoot]:
    options = [f"--replicas={name}={number}" for name, number in REPLICAS.items()]
    with lasting_moot(tmp_path_factory.mktemp("many") / "data", *options) as moot:
        yield moot


def test_there_are_as_many_as_asked_for(many: WholeMoot) -> None:
    running = {name: len(pids) for name, pids in many.pids().items()}
    assert running == REPLICAS | {"nats": 1, "postgres": 1, "api": 1}


async def test_debates_are_the_same_as_with_one_of_each(many: WholeMoot) -> None:
    examples = [small_debate(f"replicas, {number}") for number in range(3)]
    async with many.client() as client:
        pace = stretched(BRISK)
        plays = [play(client, many.keys, example, pace=pace) for example in examples]
        played = await asyncio.gather(*(debate.from_start_to_end() for debate in plays))
        for example, one in zip(examples, played, strict=True):
            await many.announced(one.topic_id)
            evidence = await Evidence.gather(example, one, client, many.guild, many.moot.nats)
            assert failures(evidence.checks_on_a_busy_machine()) == []


async def test_one_of_each_may_die_amid_a_debate(many: WholeMoot) -> None:
    example = small_debate("one of each dies")
    async with many.client(patience=PATIENCE) as client:
        debate = play(client, many.keys, example, pace=stretched(TO_BE_KILLED))
        playing = asyncio.create_task(debate.from_start_to_end())
        for name in REPLICAS:
            await until_moment(datetime.now(UTC) + BRISK.round_takes)
            await many.restarted(name, many.kill(name))
        played = await playing
        await many.announced(played.topic_id)
        evidence = await Evidence.gather(example, played, client, many.guild, many.moot.nats)
    assert failures(evidence.checks_after_faults()) == []
