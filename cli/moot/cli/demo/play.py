"""Playing a debate from proposal to verdict, by HTTP only, as its agents would."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from moot.cli.condition import NeverHappenedError, until
from moot.cli.demo.cast import MODERATOR, VOLUNTEERS, Volunteer
from moot.cli.demo.example import ROUNDS, Example, ExampleArgument
from moot.cli.demo.judgement import Judgement, judge, schema_for
from moot.cli.demo.screen import Screen
from moot.client import MootClient, Proposal
from moot.contracts.debates import Camp, Stage
from moot.contracts.views import AllocationView, TopicView


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each part of a debate takes."""

    opens_after: timedelta
    signup_takes: timedelta
    draw_takes: timedelta
    round_takes: timedelta
    patience: timedelta
    """How long to wait for a stage or round that is due."""
    posting_share: float
    """Of a round: what is left is room for a slow machine."""


SHOWING = Pace(
    opens_after=timedelta(seconds=1),
    signup_takes=timedelta(seconds=2),
    draw_takes=timedelta(seconds=1),
    round_takes=timedelta(seconds=4),
    patience=timedelta(seconds=10),
    posting_share=0.85,
)


COURSE = (
    Stage.CREATED,
    Stage.SIGNUP_OPEN,
    Stage.ALLOCATING,
    Stage.SIGNUP_CLOSED,
    Stage.DEBATING,
    Stage.JUDGING,
    Stage.COMPLETED,
    Stage.CANCELLED,
)
"""The stages in the order in which a topic can be seen in them; an ended one is past all."""


@dataclass(frozen=True, slots=True)
class Played:
    topic_id: str
    seats: Mapping[Camp, str]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Play:
    """One debate: about what, by whom, how fast, and where it is shown."""

    client: MootClient
    agents: Mapping[str, MootClient]
    """The moderator and the volunteers, each with a key."""
    example: Example
    screen: Screen
    pace: Pace = SHOWING
    volunteers: Sequence[Volunteer] = VOLUNTEERS

    async def from_start_to_end(self) -> Played:
        topic = await self.propose()
        await self.sign_up(topic.id)
        seats = await self.drawn(topic.id)
        await self.argue(topic.id, seats)
        judgement = await self.judge(topic.id, seats[Camp.JUDGE])
        return Played(topic.id, seats, judgement)

    async def propose(self) -> TopicView:
        wanted = proposal(self.example, self.pace, now=datetime.now(UTC))
        topic = await self.agents[MODERATOR].propose_topic(wanted)
        self.screen.stage(Stage.CREATED, f"{MODERATOR} proposes topic {topic.id}")
        return topic

    async def sign_up(self, topic_id: str) -> None:
        await self.reaches(topic_id, Stage.SIGNUP_OPEN)
        await self._committed(topic_id)
        self.screen.stage(Stage.SIGNUP_OPEN, f"{len(self.volunteers)} volunteers")
        for volunteer in self.volunteers:
            camps = volunteer.willing_camps
            await self.agents[volunteer.agent_id].sign_up(topic_id, camps)
            self.screen.signup(volunteer.agent_id, camps)

    async def _committed(self, topic_id: str) -> None:
        """Wait until the allocator can't choose its secret any more, as a careful agent would."""

        async def look() -> AllocationView | None:
            return await self.client.get_allocation(topic_id)

        waiting_for = f"the draw of topic {topic_id} to be committed to"
        await until(look, within=self.pace.patience, waiting_for=waiting_for)

    async def drawn(self, topic_id: str) -> dict[Camp, str]:
        topic = await self.reaches(topic_id, Stage.SIGNUP_CLOSED)
        self.screen.stage(Stage.SIGNUP_CLOSED, "the three camps are drawn")
        self.screen.camps(topic.camps)
        return {seat.camp: seat.agent_id for seat in topic.camps}

    async def argue(self, topic_id: str, seats: Mapping[Camp, str]) -> None:
        await self.reaches(topic_id, Stage.DEBATING)
        self.screen.stage(Stage.DEBATING, f"{self.example.size} arguments in {ROUNDS} rounds")
        for round_no, arguments in enumerate(self.example.in_rounds()):
            topic = await self._in_round(topic_id, round_no)
            self.screen.round(round_no, ROUNDS)
            opened_at = topic.debate_start_at + round_no * self.pace.round_takes
            for place, argument in enumerate(arguments):
                share = self.pace.posting_share * place / len(arguments)
                await _until_time(opened_at + self.pace.round_takes * share)
                await self._post(topic_id, seats[argument.side], argument)

    async def judge(self, topic_id: str, judge_id: str) -> Judgement:
        await self.reaches(topic_id, Stage.JUDGING)
        self.screen.stage(Stage.JUDGING, f"the debate is over, {judge_id} decides")
        judgement = judge(self.example)
        agent = self.agents[judge_id]
        await agent.submit_verdict(topic_id, judgement.verdict, judgement.rationale)
        await self.reaches(topic_id, Stage.COMPLETED)
        self.screen.stage(Stage.COMPLETED, "the verdict is accepted")
        self.screen.verdict(judge_id, judgement, self.example)
        return judgement

    async def reaches(self, topic_id: str, stage: Stage) -> TopicView:
        """Wait until the topic is in this stage or past it.

        Raises NeverHappenedError, at once if it was cancelled instead.
        """
        wanted = COURSE.index(stage)
        topic = await self._topic_when(
            topic_id, lambda topic: COURSE.index(topic.status) >= wanted, stage
        )
        if topic.status is Stage.CANCELLED and stage is not Stage.CANCELLED:
            raise NeverHappenedError(f"{stage}: it was cancelled: {topic.cancelled_reason}")
        return topic

    async def _in_round(self, topic_id: str, round_no: int) -> TopicView:
        """Wait until the topic is in this round or past it.

        Raises NeverHappenedError, at once if the debate is over by then.
        """
        what = f"round {round_no + 1}"
        topic = await self._topic_when(
            topic_id,
            lambda topic: topic.round is None or topic.round.round_no >= round_no,
            what,
        )
        if topic.round is None:
            raise NeverHappenedError(f"{what} wasn't seen: the debate is {topic.status} already")
        return topic

    async def _post(self, topic_id: str, agent_id: str, argument: ExampleArgument) -> None:
        await self.agents[agent_id].post_argument(topic_id, argument.content)
        self.screen.argument(argument)

    async def _topic_when(
        self, topic_id: str, holds: Callable[[TopicView], bool], what: str
    ) -> TopicView:
        async def look() -> TopicView | None:
            topic = await self.client.get_topic(topic_id)
            return topic if holds(topic) else None

        waiting_for = f"topic {topic_id} to reach: {what}"
        return await until(look, within=self.pace.patience, waiting_for=waiting_for)


async def issue_keys(admin: MootClient) -> dict[str, str]:
    """A new key for the moderator and each volunteer; keys of theirs from before end."""
    names = [MODERATOR, *(volunteer.agent_id for volunteer in VOLUNTEERS)]
    return {name: (await admin.issue_agent_key(name, force=True)).key for name in names}


def proposal(example: Example, pace: Pace, *, now: datetime) -> Proposal:
    """A topic for the example, its times at the pace given from `now` on."""
    signup_open_at = now + pace.opens_after
    signup_close_at = signup_open_at + pace.signup_takes
    debate_start_at = signup_close_at + pace.draw_takes
    return Proposal(
        title=example.motion,
        summary=_summary(example),
        signup_open_at=signup_open_at,
        signup_close_at=signup_close_at,
        debate_start_at=debate_start_at,
        debate_end_at=debate_start_at + ROUNDS * pace.round_takes,
        rounds=ROUNDS,
        verdict_schema_id=schema_for(example),
    )


def _summary(example: Example) -> str:
    sides = f"pro: {example.sides.pro}\ncon: {example.sides.con}"
    origin = f"Source: {example.source} ({example.licence})"
    return "\n\n".join(part for part in (example.description, sides, origin) if part)


async def _until_time(moment: datetime) -> None:
    """Wait for `moment`: the pace of the debate, not a condition."""
    await asyncio.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
