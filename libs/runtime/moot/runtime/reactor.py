"""Runs a service's reactions to stored events: at least once each, by a durable consumer.

FastStream takes the messages and answers for them. A reaction that returned is acknowledged; a
fault is tried again with backoff, without end, while it alarms (`moot.reactor.behind`); only what
can't be read is set aside, in the stream `DEAD`.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final, cast

import structlog
from faststream.exceptions import NackMessage, RejectMessage
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.message import NatsMessage
from faststream.nats.security import NatsSecurity
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from opentelemetry.trace import SpanKind

from moot.contracts.catalogue import UnknownEventTypeError
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import CHRONICLE, Category, category_filter, dead_subject
from moot.runtime.chronicle import Stored
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.metrics import SECONDS, Counter, Gauge, Histogram
from moot.runtime.nats_connection import inbox_prefix
from moot.runtime.nats_tls import nats_address
from moot.runtime.refusals import Refusals
from moot.runtime.telemetry import span

React = Callable[[Recorded], Awaitable[str | None]]
"""Reacts to one event; says what came of it for the log, None if the event isn't its concern."""

FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 30.0
GRACEFUL_SECONDS: Final = 2.5
POLL_SECONDS: Final = 1.0
"""How long one pull waits: also the most that is lost when a reconnect swallows it."""

STANDING_SECONDS: Final = 2.0
"""How often it is found out how far a reactor is behind."""

_NAME: Final = "moot.reactor"
_reactions = Histogram(
    "messaging.process.duration",
    "How long a reaction to a message took; what came of it is its `moot.outcome`",
    "messaging.system",
    "messaging.destination.template",
    "messaging.consumer.group.name",
    "moot.outcome",
)
_restarts = Counter(
    "moot.reactor.restarts", "{start}", "Times that it began to take messages", _NAME
)
_position = Gauge("moot.reactor.position", "", "Position up to which all is reacted to", _NAME)
_pending = Gauge("moot.reactor.pending", "{event}", "Events that aren't settled yet", _NAME)
_behind = Gauge("moot.reactor.behind", SECONDS, "How long the first of those has waited", _NAME)
_log = structlog.stdlib.get_logger(__name__)


class NotProvisionedError(Exception):
    """The durable consumer isn't there; `moot provision` creates it."""


class Later(Exception):
    """Raised by a reaction: nothing is wrong, but it is for later. `seconds` is how much later."""

    def __init__(self, seconds: float, outcome: str) -> None:
        super().__init__(outcome)
        self.seconds = seconds
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one durable consumer's messages lead to. With `in_flight` > 1 they lose their order."""

    durable: str
    category: Category
    react: React
    in_flight: int = 1


class Reactor:
    """All subscriptions of a service's process, on a connection of their own."""

    def __init__(
        self, service: str, nats_url: str, subscriptions: Sequence[Subscription], *, name: str = ""
    ) -> None:
        self._service = service
        self._subscriptions = subscriptions
        # FastStream doesn't take it from the connection, and wants it whole.
        self._inboxes = f"{inbox_prefix(nats_url)}.".encode()
        self._refusals = Refusals()
        self._broker = _broker(nats_url, name or f"moot-{service}", self._refusals)
        self._jetstream: JetStreamContext | None = None
        self._stopped = asyncio.Event()

    async def start(self) -> None:
        """Connect and begin to react. Raises NotProvisionedError or a fault of NATS; then again."""
        client = await self._broker.connect()
        for subscription in self._subscriptions:
            _restarts.add(subscription.durable)
        jetstream = self._jetstream = JetStreamContext(client)
        waits = [await self._ack_wait(one.durable) for one in self._subscriptions]
        if not self._broker.subscribers:
            for subscription, ack_wait in zip(self._subscriptions, waits, strict=True):
                handle = _Handling(self._service, subscription, jetstream, ack_wait / 3)
                for _ in range(subscription.in_flight):
                    self._subscribe(subscription, handle)
        await self._broker.start()
        for subscriber in self._broker.subscribers:
            _pace(subscriber)

    def _subscribe(self, subscription: Subscription, handle: Callable[..., Any]) -> None:
        # One message a pull: FastStream runs those of one fetch concurrently, or strands them.
        subscriber = self._broker.subscriber(
            category_filter(subscription.category),
            durable=subscription.durable,
            stream=JStream(CHRONICLE, declare=False),
            pull_sub=PullSub(batch_size=1, timeout=POLL_SECONDS),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            decoder=_whole,
            inbox_prefix=self._inboxes,
            no_reply=True,
        )
        subscriber(handle)

    async def _ack_wait(self, durable: str) -> float:
        info = await self._info(durable)
        return (info.config.ack_wait or 30.0) if info.config else 30.0

    async def acknowledged_through(self, durable: str) -> int:
        """Return the position up to which every message of `durable` is settled."""
        info = await self._info(durable)
        return (info.ack_floor.stream_seq if info.ack_floor else 0) or 0

    async def _info(self, durable: str) -> Any:  # noqa: ANN401 nats-py's own, see its api.py
        if self._jetstream is None:
            raise RuntimeError("the reactor hasn't started")
        try:
            return await self._jetstream.consumer_info(CHRONICLE, durable)
        except NotFoundError as error:
            raise NotProvisionedError(
                f"consumer {durable} is missing; run `moot provision`"
            ) from error

    async def check(self) -> str | None:
        """Say why it can't react now; None when it can."""
        # Who is refused an answer would wait for it in vain.
        if (refused := self._refusals.reason) is not None:
            return refused
        for subscription in self._subscriptions:
            await self._info(subscription.durable)
        return self._refusals.reason

    async def run(self) -> None:
        """Last as long as the reactor reacts; it has been started before."""
        measuring = asyncio.create_task(self._measure(), name="how far behind")
        try:
            await self._stopped.wait()
        finally:
            measuring.cancel()

    async def _measure(self) -> None:
        while True:
            for subscription in self._subscriptions:
                try:
                    await self._measure_one(subscription)
                except (NatsError, TimeoutError, NotProvisionedError) as error:
                    _log.debug("reactor_not_measured", reason=repr(error))
            await asyncio.sleep(STANDING_SECONDS)

    async def _measure_one(self, subscription: Subscription) -> None:
        info = await self._info(subscription.durable)
        floor = (info.ack_floor.stream_seq if info.ack_floor else 0) or 0
        pending = (info.num_pending or 0) + (info.num_ack_pending or 0)
        _position.set(floor, subscription.durable)
        _pending.set(pending, subscription.durable)
        waited = await self._waited(subscription, floor) if pending else 0.0
        _behind.set(waited, subscription.durable)

    async def _waited(self, subscription: Subscription, floor: int) -> float:
        """Return how many seconds ago the first event after `floor` was stored."""
        if self._jetstream is None:
            return 0.0
        try:
            first = await self._jetstream.get_msg(
                CHRONICLE,
                seq=floor + 1,
                subject=category_filter(subscription.category),
                direct=True,
                next=True,
            )
        except NotFoundError:
            return 0.0
        return 0.0 if first.time is None else max(time.time() - first.time.timestamp(), 0.0)

    async def stop(self) -> None:
        """Take nothing new and finish what is begun; what takes too long comes again elsewhere."""
        await self._broker.stop()
        self._stopped.set()


def _broker(nats_url: str, name: str, refusals: Refusals) -> NatsBroker:
    async def tell_refusal(error: Exception) -> None:
        # Of all else the process's other connection to the same server tells.
        if refusals.note(error):
            _log.error("nats_refused", error=str(error))

    async def forget() -> None:
        refusals.forget()

    address = nats_address(nats_url)
    return NatsBroker(
        address.url,
        security=address.tls and NatsSecurity(ssl_context=address.tls, tls_handshake_first=True),
        name=name,
        inbox_prefix=inbox_prefix(nats_url),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,  # pyright: ignore[reportArgumentType] seconds, fractions too
        ping_interval=5,
        max_outstanding_pings=2,
        error_cb=tell_refusal,
        reconnected_cb=forget,
        graceful_timeout=GRACEFUL_SECONDS,
        apply_types=False,
        logger=None,
    )


async def _whole(message: NatsMessage) -> NatsMessage:
    return message


@dataclass(frozen=True, slots=True)
class _Handling:
    service: str
    subscription: Subscription
    jetstream: JetStreamContext
    progress_every: float

    async def __call__(self, message: NatsMessage) -> None:
        durable, raw = self.subscription.durable, message.raw_message
        about = {
            "messaging.system": "nats",
            "messaging.operation.name": "process",
            "messaging.consumer.group.name": durable,
            "moot.position": raw.metadata.sequence.stream,
        }
        traceparent = (raw.headers or {}).get("traceparent")
        with span(f"react {durable}", traceparent, kind=SpanKind.CONSUMER, attributes=about):
            unsettled = await self._unsettled(raw)
        if unsettled is not None:
            raise unsettled

    async def _unsettled(self, message: Msg) -> Exception | None:
        """React; return what tells FastStream that the message isn't to be acknowledged."""
        began = time.monotonic()
        metadata = message.metadata
        log = _log.bind(durable=self.subscription.durable, position=metadata.sequence.stream)
        try:
            async with self._in_progress(message):
                outcome = await self.subscription.react(_recorded(message))
        except Later as later:
            self._measured("later", began)
            log.info("reaction_postponed", outcome=later.outcome, seconds=later.seconds)
            return NackMessage(delay=later.seconds)
        except Exception as error:
            if _is_lost(error) and await self._set_aside(message, error):
                self._measured("dead", began)
                return RejectMessage()
            delay = backoff(metadata.num_delivered, random.random())  # noqa: S311 jitter
            self._measured("fault", began)
            log.exception("reaction_failed", tries=metadata.num_delivered, retry_in_s=delay)
            return NackMessage(delay=delay)
        self._measured("ignored" if outcome is None else "reacted", began)
        if outcome is not None:
            log.info("reacted", outcome=outcome, seconds=round(time.monotonic() - began, 4))
        return None

    def _measured(self, outcome: str, began: float) -> None:
        template = category_filter(self.subscription.category)
        durable = self.subscription.durable
        _reactions.record(time.monotonic() - began, "nats", template, durable, outcome)

    @asynccontextmanager
    async def _in_progress(self, message: Msg) -> AsyncGenerator[None, None]:
        """Keep telling the server that the message is being worked on."""
        telling = asyncio.create_task(self._tell(message))
        try:
            yield
        finally:
            telling.cancel()

    async def _tell(self, message: Msg) -> None:
        while True:
            await asyncio.sleep(self.progress_every)
            try:
                await message.in_progress()
            except NatsError as error:  # the next one may get through; else it comes again
                _log.warning("in_progress_failed", reason=repr(error))

    async def _set_aside(self, message: Msg, error: Exception) -> bool:
        """Return whether the message is in `DEAD`."""
        position = message.metadata.sequence.stream
        reason = " ".join(str(error).split())[:500]
        durable = self.subscription.durable
        _log.error("message_set_aside", durable=durable, position=position, reason=reason)
        try:
            await self.jetstream.publish(
                dead_subject(self.service),
                message.data,
                headers={
                    "Moot-Reason": reason,
                    "Moot-Error": type(error).__name__,
                    "Moot-Durable": durable,
                    "Moot-Subject": message.subject,
                    "Moot-Position": str(position),
                    "Nats-Msg-Id": f"{durable}-{position}",
                },
            )
        except (NatsError, TimeoutError) as fault:
            _log.warning("dead_letter_failed", durable=durable, reason=repr(fault))
            return False
        return True


def _is_lost(error: Exception) -> bool:
    """Whether no later try can read the message. A type this code doesn't know, newer code will."""
    return isinstance(error, UndecodableEventError) and not isinstance(
        error.__cause__, UnknownEventTypeError
    )


def _recorded(message: Msg) -> Recorded:
    return decoded(
        Stored(
            position=message.metadata.sequence.stream,
            subject=message.subject,
            id="",
            body=message.data,
            stored_at=message.metadata.timestamp.astimezone(UTC),
        )
    )


def backoff(tries: int, luck: float) -> float:
    """Return how many seconds to wait after try number `tries` (from 1); `luck` is in [0, 1)."""
    longest = min(FIRST_DELAY_SECONDS * 2 ** min(tries, 20), LONGEST_DELAY_SECONDS)
    return round(longest * (0.5 + luck / 2), 3)


class _PacedPulls:
    """FastStream's pull loop asks again at once when NATS can't answer: without this it spins."""

    def __init__(self, pulls: JetStreamContext.PullSubscription) -> None:
        self._pulls = pulls

    async def fetch(self, *, batch: int, timeout: float | None) -> list[Msg]:
        began = time.monotonic()
        try:
            return await self._pulls.fetch(batch=batch, timeout=timeout)
        except Exception:
            if timeout is not None and time.monotonic() - began < timeout / 2:
                await asyncio.sleep(0.05 + 0.2 * random.random())  # noqa: S311 jitter
            raise

    async def unsubscribe(self) -> None:
        await self._pulls.unsubscribe()


def _pace(subscriber: Any) -> None:  # noqa: ANN401 FastStream's union of subscribers
    pulls = cast("JetStreamContext.PullSubscription", subscriber.subscription)
    subscriber.subscription = _PacedPulls(pulls)
