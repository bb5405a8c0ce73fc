"""Each container killed, paused and cut off while a debate runs: it ends as it would have."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from moot.cli.condition import until
from moot.cli.demo.evidence import Evidence
from moot.cli.demo.play import Pace, Play, Played, issue_keys
from moot.contracts.debates import Camp
from moot.contracts.views import TopicView
from tests.containers.conftest import Took
from tests.support.composed import PARTS, PATIENCE, RECOVERS_WITHIN, Composed
from tests.support.containers import Container
from tests.support.debate_story import failures, play, small_debate
from tests.support.waiting import until_moment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

JUST_BEFORE = timedelta(milliseconds=20)
HELD = timedelta(seconds=2)

PACE = Pace(
    opens_after=timedelta(seconds=1),
    signup_takes=timedelta(seconds=2),
    draw_takes=timedelta(seconds=7),
    round_takes=timedelta(seconds=7),
    patience=PATIENCE,
    posting_share=0.5,
)
"""A container is back within seconds, where a process takes one."""

Strike = Callable[[Container], None]

FAULTS: Mapping[str, tuple[Strike, Strike | None]] = {
    "killed": (Container.crash, None),
    "paused": (Container.pause, Container.unpause),
    "cut off": (Container.cut_off, Container.connect),
}
"""What is done, and undone after a while."""


def moments(topic: TopicView) -> tuple[datetime, ...]:
    """When there is most to do: the draw, the first round, the second."""
    starts = topic.debate_start_at
    return (topic.signup_close_at, starts, starts + PACE.round_takes)


async def break_and_recover(stack: Composed, part: str, fault: str) -> timedelta:
    """How long it took from the end of the fault until every part was ready again."""
    container = stack.the(part)
    strike, undo = FAULTS[fault]
    before = container.started_at
    await asyncio.to_thread(strike, container)
    began = datetime.now(UTC)
    if undo is not None:
        await until_moment(began + HELD)
        await asyncio.to_thread(undo, container)
        began = datetime.now(UTC)

    async def recovered() -> bool | None:
        restarted = undo is not None or container.started_at != before
        return (restarted and await asyncio.to_thread(stack.is_ready)) or None

    await until(recovered, within=RECOVERS_WITHIN, waiting_for=f"{part} after it was {fault}")
    return datetime.now(UTC) - began


async def break_at_each(stack: Composed, part: str, topic: TopicView, took: Took) -> None:
    for fault, moment in zip(FAULTS, moments(topic), strict=True):
        await until_moment(moment - JUST_BEFORE)
        took.note(f"{part} {fault}, ready again", await break_and_recover(stack, part, fault))


async def played_to_the_end(debate: Play, topic: TopicView) -> Played:
    await debate.sign_up(topic.id)
    seats = await debate.drawn(topic.id)
    await debate.argue(topic.id, seats)
    return Played(topic.id, seats, await debate.judge(topic.id, seats[Camp.JUDGE]))


@pytest.mark.parametrize("part", PARTS)
async def test_a_debate_outlives_it(stack: Composed, part: str, took: Took) -> None:
    example = small_debate(f"{part} is broken")
    async with stack.client() as client:
        debate = play(client, await issue_keys(client), example, pace=PACE)
        topic = await debate.propose()
        _, played = await asyncio.gather(
            break_at_each(stack, part, topic, took), played_to_the_end(debate, topic)
        )
        await stack.announced(topic.id)
        evidence = await Evidence.gather(example, played, client, stack.guild(), stack.nats_url())

    assert failures(evidence.checks_after_faults()) == []


def test_all_rows_are_what_the_chronicle_says(stack: Composed) -> None:
    verified = stack.moot("projections", "verify", "--whole").splitlines()

    assert verified
    assert all(line.endswith("all as the Chronicle says") for line in verified)
