"""What is new in inboxes: one look at the Ops DB for all who wait, when something has happened."""

import asyncio
from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from moot.api.queries.checkpoints import DEBATES, Row
from moot.api.queries.inboxes import read_concerned
from moot.api.shown_events import type_of
from moot.contracts.debates import Caller, Stage, Visibility
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    JudgeReplaced,
    RoundOpened,
    SignupOpened,
    TopicAmended,
    VisibilitySet,
)
from moot.domain.access_rules import may_read
from moot.runtime.database import Pool, PositionWaiter, is_outage
from moot.runtime.fan_out import FanOut, Heard, Subscription, Verdict

MOST_TOPICS: Final = 10_000
"""Of how many it is kept when there was news of them; whatever is older may be news."""
LOOK_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 0.1

_TELLING: Final = {
    each.type
    for each in (
        TopicAmended,
        VisibilitySet,
        SignupOpened,
        CampsAllocated,
        DebateStarted,
        RoundOpened,
        DebateEnded,
        JudgeReplaced,
    )
}
"""What changes what somebody may do, or until when. Arguments and others' sign-ups don't."""

log = structlog.stdlib.get_logger()


class InboxNews:
    """Wakes who waits for their inbox, and only those whom it concerns. `run` is a job."""

    def __init__(self, fan_out: FanOut, waiter: PositionWaiter, pool: Pool) -> None:
        self.stopped = False
        """Nobody should wait any more."""
        self._fan_out = fan_out
        self._waiter = waiter
        self._pool = pool
        self._listening: dict[str, set[asyncio.Event]] = {}
        self._told: OrderedDict[str, int] = OrderedDict()
        self._known_from = 2**63 - 1
        """Of a topic that isn't in `_told` there was no news after this position."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._listening.values()))

    @contextmanager
    def listening(self, agent_id: str) -> Generator[asyncio.Event]:
        """Yield what is set each time there may be news for the agent."""
        rung = asyncio.Event()
        mine = self._listening.setdefault(agent_id, set())
        mine.add(rung)
        try:
            yield rung
        finally:
            mine.discard(rung)
            if not mine and self._listening.get(agent_id) is mine:
                del self._listening[agent_id]

    def is_new(self, topic_id: str, position: int, after: int) -> bool:
        """Whether there was news of the topic, whose last event is at `position`, after `after`.

        True where it isn't known any more.
        """
        told = self._told.get(topic_id)
        return (min(position, self._known_from) if told is None else told) > after

    async def run(self) -> None:
        """Follow, for ever; whoever waits when it begins anew looks for themselves."""
        while True:
            if await self._fan_out.reached(0, LOOK_SECONDS):
                subscription = self._fan_out.subscribe(None, _judge)
                try:
                    await self._follow(subscription)
                finally:
                    self._fan_out.unsubscribe(subscription)
                await asyncio.sleep(AGAIN_SECONDS)

    async def stop(self) -> None:
        """Let everybody go who waits, with what there is."""
        self.stopped = True
        self._ring_all()

    async def _follow(self, subscription: Subscription) -> None:
        self._told.clear()
        self._known_from = subscription.position
        self._ring_all()
        while subscription.ending is None:
            heard = await subscription.next()
            news = {one.stored.stream.id: one.stored.position for one in heard}
            if news and await self._projected(max(news.values()), subscription):
                self._note(news)
                await self._ring(list(news))

    async def _projected(self, position: int, subscription: Subscription) -> bool:
        """Wait until the inboxes show it; what is read before says nothing new."""
        while subscription.ending is None:
            if await self._waiter.wait((DEBATES,), position, LOOK_SECONDS) >= position:
                return True
        return False

    def _note(self, news: Mapping[str, int]) -> None:
        for topic_id, position in news.items():
            self._told[topic_id] = position
            self._told.move_to_end(topic_id)
        while len(self._told) > MOST_TOPICS:
            _, forgotten = self._told.popitem(last=False)
            self._known_from = max(self._known_from, forgotten)

    async def _ring(self, topic_ids: Sequence[str]) -> None:
        if not self._listening:
            return
        try:
            rows = await read_concerned(self._pool, topic_ids)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("inbox_news_unread", topics=len(topic_ids), reason=str(error))
            self._ring_all()
            return
        for agent_id, rungs in self._listening.items():
            if any(_concerns(row, agent_id) for row in rows):
                for rung in rungs:
                    rung.set()

    def _ring_all(self) -> None:
        for rungs in self._listening.values():
            for rung in rungs:
                rung.set()


def _judge(heard: Heard) -> Verdict:
    return Verdict.TELL if type_of(heard.stored) in _TELLING else Verdict.PASS_OVER


def _concerns(topic: Row, agent_id: str) -> bool:
    """Whether the topic, which has just changed, may be in the agent's inbox."""
    if topic["status"] != Stage.SIGNUP_OPEN:
        return agent_id in topic["seated"]
    readers = (Visibility(topic["visibility"]), topic["creator"], topic["invited_agents"])
    return may_read(*readers, Caller.agent(agent_id))
