"""A debate on a real NATS: proposed, signed up to, read back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from moot.contracts.debates import Caller, Schedule
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, TopicId
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import ProposeTopic, SignUp, TopicCommand
from moot.domain import topic
from moot.domain.topic_stages import TopicState
from moot.runtime.chronicle import Chronicle
from moot.runtime.clock import utc_now
from moot.runtime.decoding import decoded
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome
from tests.support.waiting import until

CREATOR = Caller.agent("creator")


def schedule(first: datetime, *steps: float) -> Schedule:
    """Return four times: `first`, then each so many seconds after the one before."""
    times = [first]
    for step in steps:
        times.append(times[-1] + timedelta(seconds=step))
    opens, closes, starts, ends = times
    return Schedule(
        signup_open_at=opens, signup_close_at=closes, debate_start_at=starts, debate_end_at=ends
    )


@dataclass(frozen=True)
class Debates:
    """What a test does to topics, by the dispatcher that the API uses."""

    chronicle: Chronicle
    dispatcher: Dispatcher

    @classmethod
    def on(cls, chronicle: Chronicle) -> "Debates":
        return cls(chronicle, Dispatcher(chronicle, source="moot/tests", now=utc_now))

    async def propose(self, times: Schedule, **terms: Any) -> TopicId:  # noqa: ANN401 a topic's own fields
        topic_id = TopicId(uuid4().hex)
        command = ProposeTopic.model_validate(
            {"by": CREATOR, "title": "Ban plastic bottles", "schedule": times} | terms
        )
        await self.ask(topic_id, command)
        return topic_id

    async def sign_up(self, topic_id: TopicId, *agents: str) -> None:
        for agent in agents:
            command = SignUp.model_validate(
                {"by": Caller.agent(agent), "willing_camps": ("pro", "con", "judge")}
            )
            await self.ask(topic_id, command)

    async def ask(self, topic_id: TopicId, command: TopicCommand) -> None:
        command_id = CommandId(uuid4().hex)
        context = CommandContext(command_id, command.by.auth_id, command_id)
        result = await self.dispatcher.dispatch(topic, topic_id, command, context)
        assert isinstance(result, Outcome), result

    async def events(self, topic_id: TopicId) -> list[Recorded]:
        stored = await self.chronicle.read(StreamName("topic", topic_id))
        return [decoded(one) for one in stored]

    async def types(self, topic_id: TopicId) -> list[str]:
        """Return the short names of the topic's events, in order."""
        return [one.event.type.split(".")[2] for one in await self.events(topic_id)]

    async def state(self, topic_id: TopicId) -> TopicState:
        return (await self.dispatcher.load(topic, topic_id)).state

    async def reaches(self, topic_id: TopicId, event: str, *, within: float = 15) -> None:
        """Return as soon as the topic has an event with this short name."""

        async def there() -> bool:
            return event in await self.types(topic_id)

        await until(there, within=within)
