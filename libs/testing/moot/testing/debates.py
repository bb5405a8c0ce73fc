"""Debates at a stage, for tests that begin there; played by Moot's own rules."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from moot.client import Amendment, MootClient, ProblemError, Proposal
from moot.contracts.debates import CAMPS, Camp, Stage
from moot.contracts.views import TopicView
from moot.testing.agents import Agent
from moot.testing.failures import MootTestingError, NeverCameError
from moot.testing.names import fresh
from moot.testing.projections import wait_for_projection

COURSE: Final = {
    Stage.CREATED: "topic_created",
    Stage.SIGNUP_OPEN: "signup_opened",
    Stage.SIGNUP_CLOSED: "camps_allocated",
    Stage.DEBATING: "debate_started",
    Stage.JUDGING: "debate_ended",
    Stage.COMPLETED: "verdict_submitted",
}
"""The stages a debate can be brought to, in order, each with the event that begins it."""

LONG = timedelta(hours=1)
"""How long a debate stays at the stage that was asked for."""
AT_ONCE = timedelta(milliseconds=100)
PATIENCE = timedelta(seconds=15)
SLOWER = 5
"""So many times what three took to sign up is enough for an allocation and some arguments."""
ARGUMENTS: Final = {Camp.PRO: "It should be so.", Camp.CON: "It should not."}
RATIONALE = "Pro said why, con did not."


@dataclass(frozen=True, slots=True)
class Debate:
    """A debate at the stage that was asked for."""

    topic: TopicView
    creator: Agent
    seats: Mapping[Camp, Agent]
    """Who sits where; empty before the camps are drawn."""
    agents: tuple[Agent, ...]
    """Who signed up."""

    @property
    def topic_id(self) -> str:
        return self.topic.id


@dataclass(frozen=True, slots=True)
class Wish:
    """What a debate is to be like. Its times are made so that it is there soon, and stays."""

    stage: Stage
    title: str
    arguments: Mapping[Camp, str]
    verdict: Mapping[str, Any]
    debate_takes: timedelta
    """From its start to its end, where it is to end: what its agents have to post in, at least."""

    def reaches(self, stage: Stage) -> bool:
        stages = list(COURSE)
        return stages.index(self.stage) >= stages.index(stage)


@dataclass(frozen=True, slots=True)
class Play:
    """Brings a debate to a stage, by HTTP only, as its agents would."""

    admin: MootClient
    wish: Wish

    async def debate(self) -> Debate:
        """Raises NeverCameError where Moot doesn't get there, ProblemError where it refuses."""
        if self.wish.stage not in COURSE:
            raise MootTestingError(
                f"a debate stays in {', '.join(COURSE)}; {self.wish.stage} is not among them"
            )
        creator = await self._agent("creator")
        topic_id = await self._proposed(creator)
        agents = await self._signed_up(topic_id, creator)
        topic = await self._at(topic_id, min(self.wish.stage, Stage.SIGNUP_CLOSED, key=_place))
        by_id = {agent.id: agent for agent in agents}
        seats = {seat.camp: by_id[seat.agent_id] for seat in topic.camps}
        await self._argued(topic_id, seats)
        await self._judged(topic_id, seats)
        topic = await self._at(topic_id, self.wish.stage)
        return Debate(topic, creator, seats, agents)

    async def _proposed(self, creator: Agent) -> str:
        now = datetime.now(UTC)
        opens_at = now if self.wish.reaches(Stage.SIGNUP_OPEN) else now + LONG
        closes_at = opens_at + LONG
        proposal = Proposal(
            title=self.wish.title,
            signup_open_at=opens_at,
            signup_close_at=closes_at,
            debate_start_at=closes_at + LONG,
            debate_end_at=closes_at + 2 * LONG,
        )
        return (await self._as(creator).propose_topic(proposal)).id

    async def _signed_up(self, topic_id: str, creator: Agent) -> tuple[Agent, ...]:
        """Sign three up, then let sign-up close: however slow the machine is, they are in time."""
        if not self.wish.reaches(Stage.SIGNUP_OPEN):
            return ()
        await self._at(topic_id, Stage.SIGNUP_OPEN)
        agents = tuple([await self._agent(f"volunteer-{n}") for n in (1, 2, 3)])
        began = datetime.now(UTC)
        for agent in agents:
            await self._as(agent).sign_up(topic_id, CAMPS)
        if self.wish.reaches(Stage.SIGNUP_CLOSED):
            await self._close_signup(topic_id, creator, datetime.now(UTC) - began)
        return agents

    async def _close_signup(self, topic_id: str, creator: Agent, signing_up: timedelta) -> None:
        """Let sign-up close soon, and the rest follow; what is slow has longer for all of it."""
        lead = max(AT_ONCE, signing_up)
        takes = max(self.wish.debate_takes, SLOWER * signing_up)
        while True:
            try:
                await self._as(creator).amend_topic(topic_id, self._soon(lead, takes))
            except ProblemError as refusal:
                if refusal.code != "times-out-of-order" or lead > PATIENCE:
                    raise
                lead *= 2
            else:
                return

    def _soon(self, lead: timedelta, takes: timedelta) -> Amendment:
        closes_at = datetime.now(UTC) + lead
        starts_at = closes_at if self.wish.reaches(Stage.DEBATING) else closes_at + LONG
        ends_at = starts_at + (takes if self.wish.reaches(Stage.JUDGING) else LONG)
        return Amendment(
            signup_close_at=closes_at, debate_start_at=starts_at, debate_end_at=ends_at
        )

    async def _argued(self, topic_id: str, seats: Mapping[Camp, Agent]) -> None:
        if not self.wish.reaches(Stage.DEBATING):
            return
        await self._at(topic_id, Stage.DEBATING)
        for camp, content in self.wish.arguments.items():
            await self._as(seats[camp]).post_argument(topic_id, content)

    async def _judged(self, topic_id: str, seats: Mapping[Camp, Agent]) -> None:
        if not self.wish.reaches(Stage.COMPLETED):
            return
        await self._at(topic_id, Stage.JUDGING)
        judge = self._as(seats[Camp.JUDGE])
        await judge.submit_verdict(topic_id, self.wish.verdict, RATIONALE)

    async def _at(self, topic_id: str, stage: Stage) -> TopicView:
        """Wait for the event that begins a stage, and read the topic as of it."""
        came: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                position = await self._begun(topic_id, COURSE[stage], came)
        except TimeoutError:
            raise NeverCameError(
                f"no {COURSE[stage]} of topic {topic_id} in {PATIENCE.total_seconds():g} s;"
                f" what came: {', '.join(came) or 'nothing'}"
            ) from None
        await wait_for_projection(self.admin, position, "debates_v1", PATIENCE)
        return await self.admin.get_topic(topic_id)

    async def _begun(self, topic_id: str, kind: str, came: list[str]) -> int:
        """Return the position of the topic's first event of a kind, noting each that comes."""
        async with aclosing(self.admin.stream_topic(topic_id, after=0)) as events:
            async for event in events:
                came.append(event.type.split(".")[2])
                if came[-1] == kind:
                    return event.position
        raise NeverCameError(f"the stream of topic {topic_id} ended before {kind}")

    async def _agent(self, name: str) -> Agent:
        agent_id = fresh(name)
        return Agent(agent_id, (await self.admin.issue_agent_key(agent_id)).key)

    def _as(self, agent: Agent) -> MootClient:
        return self.admin.as_agent(agent.key)


def _place(stage: Stage) -> int:
    return list(COURSE).index(stage)
