"""Turns a topic's events into requests for delivery, in the order of the events."""

from collections.abc import Awaitable, Callable
from typing import Final, get_args

from moot.announcer.channels import Channels
from moot.announcer.rendering import Announced, render
from moot.contracts.debates import Caller
from moot.contracts.deliveries import Announcement, Endpoint, RequestDelivery, queue_id
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, TopicId, derived_id
from moot.domain import delivery, topic
from moot.domain.topic_stages import TopicState, Unborn
from moot.runtime.chronicle import Chronicle
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome, UnreadableStreamError
from moot.runtime.telemetry import current_traceparent

ANNOUNCER: Final = Caller.service("announcer")

_ANNOUNCED: Final[tuple[type[Announced], ...]] = get_args(Announced)


class Requesting:
    """`settled_through` says up to which position every topic event has been reacted to."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        chronicle: Chronicle,
        channels: Channels,
        *,
        settled_through: Callable[[], Awaitable[int]],
        public_url: str | None,
    ) -> None:
        self._dispatcher = dispatcher
        self._chronicle = chronicle
        self._channels = channels
        self._settled_through = settled_through
        self._public_url = public_url

    async def react(self, recorded: Recorded) -> str | None:
        """Request what the event says, after what earlier events say that are still unsettled.

        An earlier event may be waiting for its next try, or be with another replica: left to
        itself it would reach the queue too late. Raises faults of the Chronicle.
        """
        if not isinstance(recorded.event, _ANNOUNCED):
            return None
        settled = await self._settled_through()
        state: TopicState = topic.initial
        outcome = "private"
        for event in await self._topic_events(recorded):
            state = topic.evolve(state, event.event)  # pyright: ignore[reportArgumentType] a topic's stream has a topic's events
            if event.position > settled:
                outcome = await self._request(event, state)
        return outcome

    async def _topic_events(self, recorded: Recorded) -> list[Recorded]:
        stored = await self._chronicle.read(recorded.stream)
        try:
            return [decoded(one) for one in stored if one.position <= recorded.position]
        except UndecodableEventError as error:
            raise UnreadableStreamError(f"{recorded.stream.label}: {error}") from error

    async def _request(self, recorded: Recorded, state: TopicState) -> str:
        event = recorded.event
        if isinstance(state, Unborn) or not isinstance(event, _ANNOUNCED):
            return "ignored"
        facts = state.facts
        endpoint = self._channels.endpoint(facts.terms.announce_to, facts.visibility)
        if endpoint is None:
            return "private"
        topic_id = TopicId(recorded.stream.id)
        command = RequestDelivery(
            by=ANNOUNCER,
            endpoint=endpoint,
            announcement=_announcement(recorded, render(event, state, self._link(topic_id))),
        )
        return await self._dispatched(recorded, topic_id, endpoint, command)

    async def _dispatched(
        self, recorded: Recorded, topic_id: TopicId, endpoint: Endpoint, command: RequestDelivery
    ) -> str:
        queue = queue_id(topic_id, endpoint)
        context = CommandContext(
            command_id=CommandId(derived_id("announce", recorded.envelope.id, queue)),
            caller_auth_id=ANNOUNCER.auth_id,
            correlation_id=recorded.envelope.cause.correlation_id,
            causation_id=recorded.envelope.id,
            traceparent=current_traceparent(),
        )
        result = await self._dispatcher.dispatch(delivery, queue, command, context)
        return "requested" if isinstance(result, Outcome) else result.code

    def _link(self, topic_id: TopicId) -> str | None:
        return None if self._public_url is None else f"{self._public_url}/api/topics/{topic_id}"


def _announcement(recorded: Recorded, content: str) -> Announcement:
    event_id, event_type = recorded.envelope.id, recorded.event.type
    topic_id = TopicId(recorded.stream.id)
    return Announcement(
        event_id=event_id,
        event_type=event_type,
        topic_id=topic_id,
        position=recorded.position,
        content=content,
        metadata={
            "event_id": event_id,
            "type": event_type,
            "topic_id": topic_id,
            "position": recorded.position,
        },
    )
