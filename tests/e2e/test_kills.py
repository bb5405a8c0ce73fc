"""kill -9 of any one process in the middle of a debate: it ends as it would have."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from moot.cli.demo.evidence import Evidence
from moot.cli.demo.play import Pace, Play, Played
from moot.contracts.debates import Camp
from moot.contracts.views import TopicView
from tests.support.debate_story import (
    TO_BE_KILLED,
    UNHURRIED,
    failures,
    play,
    small_debate,
    stretched,
)
from tests.support.waiting import until_moment
from tests.support.whole_moot import PARTS, PATIENCE, WholeMoot, lasting_moot

Moment = Callable[[TopicView], datetime]

JUST_BEFORE = timedelta(milliseconds=20)

MOMENTS: dict[str, Moment] = {
    "before sign-up opens": lambda topic: topic.signup_open_at - JUST_BEFORE,
    "as sign-ups come in": lambda topic: topic.signup_open_at + JUST_BEFORE,
    "before the draw": lambda topic: topic.signup_close_at - JUST_BEFORE,
    "after the draw": lambda topic: topic.signup_close_at + JUST_BEFORE,
    "before the debate starts": lambda topic: topic.debate_start_at - JUST_BEFORE,
    "amid arguments": lambda topic: topic.debate_start_at + TO_BE_KILLED.round_takes / 4,
    "before the debate ends": lambda topic: topic.debate_end_at - JUST_BEFORE,
    "as the verdict comes": lambda topic: topic.debate_end_at + JUST_BEFORE,
}

WORST_MOMENT = {
    "ticker": "before the debate starts",
    "allocator": "before the draw",
    "announcer": "before the debate starts",
    "projector": "amid arguments",
    "api": "amid arguments",
    "nats": "amid arguments",
    "postgres": "amid arguments",
}
"""When each has most to do."""


@pytest.fixture(scope="module")
def doomed_moot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMoot]:
    with lasting_moot(tmp_path_factory.mktemp("doomed") / "data") as moot:
        yield moot


async def kill_at(moot: WholeMoot, part: str, moment: datetime) -> None:
    await until_moment(moment)
    await moot.restarted(part, moot.kill(part))


async def played_to_the_end(debate: Play, topic: TopicView) -> Played:
    await debate.sign_up(topic.id)
    seats = await debate.drawn(topic.id)
    await debate.argue(topic.id, seats)
    return Played(topic.id, seats, await debate.judge(topic.id, seats[Camp.JUDGE]))


async def survives(moot: WholeMoot, part: str, moment: str, pace: Pace) -> None:
    example = small_debate(f"{part} is killed {moment}")
    async with moot.client(patience=PATIENCE) as client:
        debate = play(client, moot.keys, example, pace=stretched(pace))
        topic = await debate.propose()
        _, played = await asyncio.gather(
            kill_at(moot, part, MOMENTS[moment](topic)), played_to_the_end(debate, topic)
        )
        await moot.announced(topic.id)
        evidence = await Evidence.gather(example, played, client, moot.guild, moot.moot.nats)
    assert failures(evidence.checks_after_faults()) == []


@pytest.mark.parametrize("part", PARTS)
async def test_a_debate_survives(doomed_moot: WholeMoot, part: str) -> None:
    await survives(doomed_moot, part, WORST_MOMENT[part], TO_BE_KILLED)


@pytest.mark.hard
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("part", PARTS)
async def test_a_debate_survives_at_any_moment(
    doomed_moot: WholeMoot, part: str, moment: str
) -> None:
    await survives(doomed_moot, part, moment, UNHURRIED)
