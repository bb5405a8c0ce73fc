"""Attempts what a delivery queue has ready, and records what came of it."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, assert_never, get_args

from moot.announcer.answers import Answer
from moot.announcer.breaker import BUSY_SECONDS, Breakers, Busy, Resting
from moot.announcer.fabric import Fabric
from moot.announcer.requesting import ANNOUNCER
from moot.announcer.webhooks import WebhookPosts
from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryCommand,
    DeliveryDue,
    DeliveryRequested,
    DeliveryRetried,
    Endpoint,
    FabricChannel,
    PostponeDelivery,
    RecordAttempt,
    WebhookEndpoint,
)
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, derived_id
from moot.domain import delivery
from moot.domain.delivery import OpenRequest
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome
from moot.runtime.metrics import Counter, Histogram
from moot.runtime.reactor import Later
from moot.runtime.telemetry import CLIENT, current_traceparent, span

_attempts = Histogram(
    "moot.delivery.attempt.duration",
    "How long a post took, by whom to and what came of it: a status, or why none came",
    "moot.endpoint.kind",
    "moot.outcome",
)
_postponed = Counter(
    "moot.delivery.postponed", "{attempt}", "Attempts that weren't made: the endpoint was failing"
)

_Calling = (
    DeliveryRequested | DeliveryRetried | DeliveryDue | AnnouncementDelivered | AnnouncementFailed
)
_CALLING: Final[tuple[type[_Calling], ...]] = get_args(_Calling)


def _calls_up(event: _Calling, request: OpenRequest) -> bool:
    event_id = request.announcement.event_id
    match event:
        case DeliveryRequested():
            of_this = event.announcement.event_id == event_id
            return of_this and request.first_in_line and not request.called_up
        case DeliveryRetried():
            of_this = event.event_id == event_id
            return of_this and request.first_in_line and not request.called_up
        case DeliveryDue():
            return event.event_id == event_id
        case AnnouncementDelivered() | AnnouncementFailed():
            return not request.called_up and not request.first_in_line


def _name(endpoint: Endpoint) -> str:
    """Return what the endpoint's breaker is known by: a guild's channels have one."""
    match endpoint:
        case FabricChannel():
            return f"fabric {endpoint.guild_base_url}"
        case WebhookEndpoint():
            return f"webhook {endpoint.webhook_id}"
        case _:
            assert_never(endpoint)


class Delivering:
    def __init__(
        self,
        dispatcher: Dispatcher,
        fabric: Fabric,
        webhooks: WebhookPosts,
        *,
        give_up_after: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._dispatcher = dispatcher
        self._fabric = fabric
        self._webhooks = webhooks
        self._give_up_after = give_up_after
        self._now = now
        self._queues: set[str] = set()
        self._breakers = Breakers()

    async def react(self, recorded: Recorded) -> str | None:
        """Attempt what this event makes ready. Raises Later, and faults.

        One event alone calls up each attempt, or two replicas would make it at the same time.
        """
        event = recorded.event
        if not isinstance(event, _CALLING):
            return None
        queue = recorded.stream.id
        if queue in self._queues:
            raise Later(BUSY_SECONDS, "queue-busy")
        self._queues.add(queue)
        try:
            state = (await self._dispatcher.load(delivery, queue)).state
            request, endpoint = state.ready, state.endpoint
            if request is None or endpoint is None or not _calls_up(event, request):
                return "nothing-to-attempt"
            return await self._attempt(recorded, endpoint, request)
        finally:
            self._queues.discard(queue)

    async def _attempt(self, recorded: Recorded, endpoint: Endpoint, request: OpenRequest) -> str:
        name = _name(endpoint)
        match self._breakers.hindrance(name):
            case Busy() as busy:
                raise Later(busy.seconds, "endpoint-busy")
            case Resting() as resting:
                return await self._postpone(recorded, request, resting)
            case None:
                attempted_at = self._now()
                with (
                    self._breakers.calling(name),
                    span(
                        f"deliver {endpoint.kind}",
                        kind=CLIENT,
                        attributes={"moot.delivery.attempt": request.attempts + 1},
                    ) as traced,
                ):
                    answer = await self._answer(recorded, endpoint, request)
                    traced.set_attribute("moot.outcome", answer.outcome)
                if answer.hopeless is None:
                    self._breakers.note(name, answer)
                _attempts.record(answer.duration_ms / 1000, endpoint.kind, answer.outcome)
                return await self._record(recorded, request, answer, attempted_at)

    async def _answer(self, recorded: Recorded, endpoint: Endpoint, request: OpenRequest) -> Answer:
        match endpoint:
            case FabricChannel():
                return await self._fabric.post(endpoint, request.announcement)
            case WebhookEndpoint():
                return await self._webhooks.post(
                    endpoint.webhook_id, request.announcement, ANNOUNCER, recorded
                )
            case _:
                assert_never(endpoint)

    async def _postpone(self, recorded: Recorded, request: OpenRequest, resting: Resting) -> str:
        command = PostponeDelivery(
            by=ANNOUNCER,
            event_id=request.announcement.event_id,
            reason=resting.reason,
            delay=timedelta(seconds=resting.seconds),
            give_up_after=self._give_up_after,
        )
        # Each event that calls it up may find it resting: they are different wishes.
        key = derived_id("postpone", recorded.stream.id, recorded.envelope.id)
        how = await self._dispatched(recorded, CommandId(key), command)
        _postponed.add()
        return f"postponed: {how}"

    async def _record(
        self, recorded: Recorded, request: OpenRequest, answer: Answer, attempted_at: datetime
    ) -> str:
        queue, event_id = recorded.stream.id, request.announcement.event_id
        number = request.attempts + 1
        command = RecordAttempt(
            by=ANNOUNCER,
            event_id=event_id,
            attempt=Attempt(
                attempt=number,
                status=answer.status,
                error=answer.error,
                answer=answer.body,
                duration_ms=answer.duration_ms,
                attempted_at=attempted_at,
            ),
            retry_after_s=answer.retry_after_s,
            luck=random.random(),  # noqa: S311 jitter
            give_up_after=self._give_up_after,
            hopeless=answer.hopeless,
        )
        command_id = CommandId(derived_id("record-attempt", queue, event_id, str(number)))
        outcome = await self._dispatched(recorded, command_id, command)
        return f"attempt {number}: {answer.status or answer.error}, {outcome}"

    async def _dispatched(
        self, recorded: Recorded, command_id: CommandId, command: DeliveryCommand
    ) -> str:
        context = CommandContext(
            command_id=command_id,
            caller_auth_id=ANNOUNCER.auth_id,
            correlation_id=recorded.envelope.cause.correlation_id,
            causation_id=recorded.envelope.id,
            traceparent=current_traceparent(),
        )
        result = await self._dispatcher.dispatch(delivery, recorded.stream.id, command, context)
        return "recorded" if isinstance(result, Outcome) else result.code
