"""Turns a topic's events into requests for delivery, in the order of the events."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, get_args

from moot.announcer.channels import Channels
from moot.announcer.rendering import Announced, render
from moot.contracts.debates import Caller
from moot.contracts.deliveries import (
    Announcement,
    Endpoint,
    FabricChannel,
    RequestDelivery,
    WebhookEndpoint,
    queue_id,
)
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, TopicId, derived_id
from moot.domain import delivery, topic
from moot.domain.topic_stages import Born, TopicState, Unborn
from moot.domain.webhooks import Webhooks
from moot.runtime.chronicle import Chronicle
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome, UnreadableStreamError
from moot.runtime.telemetry import current_traceparent

ANNOUNCER: Final = Caller.service("announcer")

_ANNOUNCED: Final[tuple[type[Announced], ...]] = get_args(Announced)

REQUESTS_AT_ONCE: Final = 8
"""Of one event: each goes to a stream of its own."""


class Requesting:
    """`settled_through` says up to which position every topic event has been reacted to.

    `webhooks_at` says which webhooks there were at a position. `channels` None: nothing is
    announced to Fabric.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        chronicle: Chronicle,
        channels: Channels | None,
        *,
        webhooks_at: Callable[[int], Awaitable[Webhooks]],
        settled_through: Callable[[], Awaitable[int]],
        public_url: str | None,
    ) -> None:
        self._dispatcher = dispatcher
        self._chronicle = chronicle
        self._channels = channels
        self._webhooks_at = webhooks_at
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
        outcome = "nobody-to-tell"
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
        topic_id = TopicId(recorded.stream.id)
        webhooks = await self._webhooks_at(recorded.position)
        endpoints = list(self._endpoints(recorded, topic_id, state, webhooks))
        if not endpoints:
            return "nobody-to-tell"
        link = self._link(topic_id)
        content = render(event, state, link)
        room = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def ask(endpoint: Endpoint) -> str:
            announcement = _announcement(recorded, content, endpoint, link)
            async with room:
                return await self._dispatched(recorded, topic_id, endpoint, announcement)

        async with asyncio.TaskGroup() as asking:
            asked = [asking.create_task(ask(endpoint)) for endpoint in endpoints]
        return ", ".join(sorted({one.result() for one in asked}))

    def _endpoints(
        self, recorded: Recorded, topic_id: TopicId, state: Born, webhooks: Webhooks
    ) -> Iterator[Endpoint]:
        facts, event_type = state.facts, recorded.event.type
        if self._channels is not None:
            channel = self._channels.endpoint(facts.terms.announce_to, facts.visibility)
            if channel is not None:
                yield channel
        for webhook_id, webhook in webhooks.by_id.items():
            if webhook.wants(event_type, topic_id, facts.visibility):
                yield WebhookEndpoint(webhook_id=webhook_id)

    async def _dispatched(
        self,
        recorded: Recorded,
        topic_id: TopicId,
        endpoint: Endpoint,
        announcement: Announcement,
    ) -> str:
        queue = queue_id(topic_id, endpoint)
        command = RequestDelivery(by=ANNOUNCER, endpoint=endpoint, announcement=announcement)
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


def _announcement(
    recorded: Recorded, content: str, endpoint: Endpoint, link: str | None
) -> Announcement:
    event_id, event_type = recorded.envelope.id, recorded.event.type
    topic_id = TopicId(recorded.stream.id)
    identity: dict[str, Any] = {
        "event_id": event_id,
        "type": event_type,
        "topic_id": topic_id,
        "position": recorded.position,
    }
    if not isinstance(endpoint, FabricChannel):
        identity["time"] = recorded.envelope.time.isoformat().replace("+00:00", "Z")
        identity["source"] = recorded.envelope.source
        identity["subject"] = recorded.stream.label
        identity["url"] = link
    return Announcement(
        event_id=event_id,
        event_type=event_type,
        topic_id=topic_id,
        position=recorded.position,
        content=content,
        metadata=identity,
    )
