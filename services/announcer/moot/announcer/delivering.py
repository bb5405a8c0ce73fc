"""Attempts what a delivery queue has ready, and records what came of it."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, get_args

from prometheus_client import Counter

from moot.announcer.channels import Channels
from moot.announcer.fabric import Answer, Fabric
from moot.announcer.requesting import ANNOUNCER
from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryDue,
    DeliveryRequested,
    Endpoint,
    RecordAttempt,
)
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, derived_id
from moot.domain import delivery
from moot.domain.delivery import OpenRequest
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome
from moot.runtime.reactor import Later
from moot.runtime.telemetry import current_traceparent

AT_ONCE_FOR_ONE_GUILD: Final = 4
"""So that a guild that is slow to answer leaves room for the others."""

BUSY_SECONDS: Final = 0.1
LONGEST_BUSY_SECONDS: Final = 3.0

_attempts = Counter(
    "moot_delivery_attempts_total", "Posts to Fabric, by what came of them", ["how"]
)


_Calling = DeliveryRequested | DeliveryDue | AnnouncementDelivered | AnnouncementFailed
_CALLING: Final[tuple[type[_Calling], ...]] = get_args(_Calling)


def _calls_up(event: _Calling, request: OpenRequest) -> bool:
    match event:
        case DeliveryRequested():
            of_this = event.announcement.event_id == request.announcement.event_id
            return of_this and request.first_in_line
        case DeliveryDue():
            return event.event_id == request.announcement.event_id
        case AnnouncementDelivered() | AnnouncementFailed():
            return request.attempts == 0 and not request.first_in_line


def _patience(slowness: float) -> float:
    """Return when to look again, in seconds: soon at a quick guild, later at a slow one."""
    return min(max(slowness, BUSY_SECONDS), LONGEST_BUSY_SECONDS) * (1 + random.random())  # noqa: S311 jitter


class Delivering:
    def __init__(
        self,
        dispatcher: Dispatcher,
        channels: Channels,
        fabric: Fabric,
        *,
        give_up_after: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._dispatcher = dispatcher
        self._channels = channels
        self._fabric = fabric
        self._give_up_after = give_up_after
        self._now = now
        self._queues: set[str] = set()
        self._in_flight: defaultdict[str, list[float]] = defaultdict(list)
        """By guild: when its attempts began that are under way, oldest first."""

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
        guild = endpoint.guild_base_url
        began, in_flight = time.monotonic(), self._in_flight[guild]
        if len(in_flight) >= AT_ONCE_FOR_ONE_GUILD:
            raise Later(_patience(began - in_flight[0]), "guild-busy")
        in_flight.append(began)
        attempted_at = self._now()
        try:
            answer = await self._answer(endpoint, request)
        finally:
            in_flight.remove(began)
        _attempts.labels(str(answer.status or answer.error)).inc()
        return await self._record(recorded, request, answer, attempted_at)

    async def _answer(self, endpoint: Endpoint, request: OpenRequest) -> Answer:
        problem = self._channels.problem(endpoint)
        if problem is not None:
            return Answer(None, f"not called: {problem}", "", None, 0)
        credentials = self._channels.credentials[endpoint.guild_base_url]
        return await self._fabric.post(endpoint, request.announcement, credentials)

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
        )
        context = CommandContext(
            command_id=CommandId(derived_id("record-attempt", queue, event_id, str(number))),
            caller_auth_id=ANNOUNCER.auth_id,
            correlation_id=recorded.envelope.cause.correlation_id,
            causation_id=recorded.envelope.id,
            traceparent=current_traceparent(),
        )
        result = await self._dispatcher.dispatch(delivery, queue, command, context)
        how = f"attempt {number}: {answer.status or answer.error}"
        return how if isinstance(result, Outcome) else f"{how}, record {result.code}"
