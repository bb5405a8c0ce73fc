"""Debates from proposal to end, through every service, by HTTP only."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from moot.cli.demo.cast import VOLUNTEERS
from moot.cli.demo.evidence import Evidence
from moot.cli.demo.example import read_example
from moot.cli.demo.history import lateness, stage_events, topic_history
from moot.client import MootClient, ProblemError
from moot.contracts.debates import Camp, Stage
from tests.support.debate_story import BRISK, COMPRESSED, failures, play, small_debate, stretched
from tests.support.local_moot import moot
from tests.support.waiting import ATTEMPTS
from tests.support.whole_moot import WholeMoot

LINCOLN_DOUGLAS = sorted(Path(__file__).parents[1].glob("data/debates/*.json"))


async def debated(moot: WholeMoot, client: MootClient, motion: str) -> Evidence:
    """What is left of a small debate among five of six volunteers."""
    example = small_debate(motion)
    debate = play(client, moot.keys, example, volunteers=VOLUNTEERS[:6])
    played = await debate.from_start_to_end()
    await moot.announced(played.topic_id)
    return await Evidence.gather(example, played, client, moot.guild, moot.moot.nats)


@pytest.mark.alone
async def test_five_agents_debate_to_a_verdict_on_time(calm_moot: WholeMoot) -> None:
    async with calm_moot.client() as client:
        evidence = await debated(calm_moot, client, "on time")
        for again in range(1, ATTEMPTS):
            if evidence.on_time().held:
                break
            evidence = await debated(calm_moot, client, f"on time, {again} times late")
    assert failures(evidence.checks()) == []
    topic_id = evidence.played.topic_id
    explained = await asyncio.to_thread(
        moot, "allocation", "explain", topic_id, "--api", calm_moot.moot.api
    )
    assert explained.code == 0
    assert explained.said.endswith("Drawn again here: the same.\n")


async def test_it_is_seen_in_every_stage_it_passes_through(calm_moot: WholeMoot) -> None:
    example = small_debate("every stage")
    async with calm_moot.client() as client:
        debate = play(client, calm_moot.keys, example)
        seen: list[Stage] = []

        async def watch(topic_id: str) -> None:
            while Stage.COMPLETED not in seen:
                status = (await client.get_topic(topic_id)).status
                if status not in seen:
                    seen.append(status)

        topic = await debate.propose()
        watching = asyncio.create_task(watch(topic.id))
        await debate.sign_up(topic.id)
        seats = await debate.drawn(topic.id)
        await debate.argue(topic.id, seats)
        await debate.judge(topic.id, seats[Camp.JUDGE])
        await asyncio.wait_for(watching, BRISK.patience.total_seconds())
    # The allocator answers within milliseconds: `allocating` may come and go between two looks.
    assert [stage for stage in seen if stage is not Stage.ALLOCATING] == [
        Stage.CREATED,
        Stage.SIGNUP_OPEN,
        Stage.SIGNUP_CLOSED,
        Stage.DEBATING,
        Stage.JUDGING,
        Stage.COMPLETED,
    ]


async def test_two_signups_are_too_few_and_the_topic_says_so(calm_moot: WholeMoot) -> None:
    async with calm_moot.client() as client:
        debate = play(client, calm_moot.keys, small_debate("too few"), volunteers=VOLUNTEERS[:2])
        topic = await debate.propose()
        await debate.sign_up(topic.id)
        cancelled = await debate.reaches(topic.id, Stage.CANCELLED)
        with pytest.raises(ProblemError, match="not-in-camp"):
            await debate.agents["ada"].post_argument(topic.id, "too late")
        history = await topic_history(calm_moot.moot.nats, topic.id)
    assert cancelled.cancelled_reason is not None
    assert cancelled.cancelled_reason.startswith("insufficient signups: 2 of 3 camps")
    assert "nobody volunteered for judge" in cancelled.cancelled_reason
    assert cancelled.camps == ()
    assert stage_events(history) == [
        "topic_created",
        "signup_opened",
        "signup_closed",
        "topic_cancelled",
    ]
    assert all(one.late >= timedelta() for one in lateness(history))


@pytest.mark.timeout(120)
async def test_the_seven_debates_of_1858_at_once(calm_moot: WholeMoot) -> None:
    examples = [read_example(file) for file in LINCOLN_DOUGLAS]
    async with calm_moot.client() as client:
        plays = [play(client, calm_moot.keys, e, pace=stretched(COMPRESSED)) for e in examples]
        played = await asyncio.gather(*(debate.from_start_to_end() for debate in plays))
        for example, one in zip(examples, played, strict=True):
            await calm_moot.announced(one.topic_id)
            evidence = await Evidence.gather(
                example, one, client, calm_moot.guild, calm_moot.moot.nats
            )
            assert failures(evidence.checks_on_a_busy_machine()) == [], example.description
    assert len(played) == 7
