"""Fires what is due: never early, and again until the log says it is done."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge

from moot.contracts.debates import Caller
from moot.contracts.ids import CommandId, derived_id
from moot.contracts.subjects import StreamName
from moot.domain import delivery, topic
from moot.domain.deadlines import Deadline, deadline_command
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome
from moot.runtime.telemetry import current_traceparent, span
from moot.ticker.board import Board
from moot.ticker.ranks import rank

TICKER: Final = Caller.service("ticker")
STAND_BY: Final = timedelta(milliseconds=500)
"""How much later each next rank fires what the ranks before it haven't."""

AT_ONCE: Final = 64
LONGEST_SLEEP: Final = 1.0
FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 5.0

_firings = Counter("moot_ticker_firings_total", "Deadlines fired, by what came of it", ["outcome"])
_ahead = Gauge(
    "moot_ticker_deadlines", "Topics and queues in this ticker's memory that may come due"
)
_log = structlog.stdlib.get_logger(__name__)


class Firing:
    """Watches the clock over a board. The log changes the board; call `board_changed` then."""

    def __init__(
        self,
        board: Board,
        dispatcher: Dispatcher,
        *,
        replica: str,
        living: Callable[[], frozenset[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._board = board
        self._dispatcher = dispatcher
        self._replica = replica
        self._living = living
        self._now = now
        self._in_flight: dict[tuple[StreamName, Deadline], asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._changed = asyncio.Event()
        self._moved: dict[StreamName, asyncio.Event] = {}
        """Set, for a stream that is being fired, when the log has said something about it."""

    def board_changed(self, streams: Collection[StreamName]) -> None:
        """The log has told of `streams`: what is waited for may be done, or something be due."""
        for stream in streams:
            if (moved := self._moved.pop(stream, None)) is not None:
                moved.set()
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Fire, for ever."""
        try:
            while True:
                changed = self._changed
                for stream, deadline in self._board.take_due(self._now()):
                    self.begin(stream, deadline)
                _ahead.set(len(self._board))
                await self._sleep(changed)
        finally:
            for task in self._in_flight.values():
                task.cancel()

    async def _sleep(self, changed: asyncio.Event) -> None:
        """Until the next deadline, or an earlier one appears; the wall clock may step meanwhile."""
        due_at = self._board.next_due_at()
        left = LONGEST_SLEEP
        if due_at is not None:
            left = min(left, (due_at - self._now()).total_seconds())
        await _wait(changed, left)

    def begin(self, stream: StreamName, deadline: Deadline, *, known: bool = True) -> None:
        """Fire in the background. What memory doesn't know (`known`) is fired once, by anyone."""
        key = (stream, deadline)
        if key in self._in_flight:
            return
        job = self._fire_until_done(stream, deadline) if known else self._fire_now(stream, deadline)
        task = asyncio.create_task(job, name=f"fire {stream.label} {deadline.command}")
        self._in_flight[key] = task
        task.add_done_callback(lambda _: self._ended(stream, deadline))

    def _ended(self, stream: StreamName, deadline: Deadline) -> None:
        self._in_flight.pop((stream, deadline), None)
        if (moved := self._moved.pop(stream, None)) is not None:
            moved.set()

    async def _fire_until_done(self, stream: StreamName, deadline: Deadline) -> None:
        await self._stand_by(stream, deadline)
        wait = FIRST_WAIT
        while self._board.deadline(stream) == deadline:
            async with self._at_once:
                if self._board.deadline(stream) != deadline:
                    return
                await self._fire(stream, deadline)
            await self._until_the_log_moves(stream, deadline, wait * random.uniform(1, 1.5))  # noqa: S311 jitter
            wait = min(wait * 2, LONGEST_WAIT)

    async def _stand_by(self, stream: StreamName, deadline: Deadline) -> None:
        """Leave it to the ranks before this one, for as long as they'd need."""
        place = rank(self._replica, self._living(), deadline_key(stream, deadline))
        if place == 0:
            return
        turn_at = deadline.due_at + place * STAND_BY
        left = (turn_at - self._now()).total_seconds()
        if left <= 0:  # it was overdue before it was known: the others learn of it only now, too
            left = (place * STAND_BY).total_seconds()
        await self._until_the_log_moves(stream, deadline, left)
        while not self._board.is_caught_up_past(deadline.due_at):
            if self._board.deadline(stream) != deadline:
                return
            await self._until_the_log_moves(stream, deadline, 0.1)

    async def _until_the_log_moves(
        self, stream: StreamName, deadline: Deadline, seconds: float
    ) -> None:
        """Return when the board says another deadline for the stream, or time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._board.deadline(stream) == deadline and (left := end - loop.time()) > 0:
            await _wait(self._moved.setdefault(stream, asyncio.Event()), left)

    async def _fire_now(self, stream: StreamName, deadline: Deadline) -> None:
        async with self._at_once:
            await self._fire(stream, deadline)

    async def _fire(self, stream: StreamName, deadline: Deadline) -> None:
        with span("fire deadline", stream=stream.label, command=deadline.command):
            outcome = await self._dispatched(stream, deadline)
        late = (self._now() - deadline.due_at).total_seconds()
        _firings.labels(outcome).inc()
        _log.info(
            "deadline_fired",
            stream=stream.label,
            command=deadline.command,
            outcome=outcome,
            late_s=round(late, 4),
        )

    async def _dispatched(self, stream: StreamName, deadline: Deadline) -> str:
        decider: Any = topic if stream.category == "topic" else delivery
        command = deadline_command(deadline, TICKER)
        command_id = firing_id(stream, deadline)
        context = CommandContext(
            command_id=command_id,
            caller_auth_id=TICKER.auth_id,
            correlation_id=command_id,
            traceparent=current_traceparent(),
        )
        try:
            result = await self._dispatcher.dispatch(decider, stream.id, command, context)
        except Exception as error:  # noqa: BLE001 NATS may be away; the caller tries again
            _log.warning("firing_failed", stream=stream.label, reason=repr(error))
            return "fault"
        if not isinstance(result, Outcome):
            return result.code
        return "fired" if result.recorded and not result.replayed else "obeyed"


def firing_id(stream: StreamName, deadline: Deadline) -> CommandId:
    """Return the command's id: the same for every replica, so that it is one command."""
    return CommandId(derived_id("ticker", deadline_key(stream, deadline)))


def deadline_key(stream: StreamName, deadline: Deadline) -> str:
    """Return what tells this deadline from all others, the same for every replica."""
    argument = deadline.event_id if deadline.round_no is None else deadline.round_no
    due_at = deadline.due_at.isoformat()
    return f"{stream.label} {deadline.command} {'' if argument is None else argument} {due_at}"


async def _wait(event: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
