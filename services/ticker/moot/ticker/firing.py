"""Fires what is due: never early, and again until the log says it is done."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from moot.contracts.debates import Caller
from moot.contracts.ids import CommandId, derived_id
from moot.contracts.subjects import StreamName
from moot.domain import delivery, topic
from moot.domain.deadlines import Deadline, deadline_command
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome
from moot.runtime.metrics import SECONDS, Counter, Gauge
from moot.runtime.telemetry import current_traceparent, span
from moot.ticker.board import Board, Due, stream_of
from moot.ticker.packed import micros
from moot.ticker.ranks import rank, weight
from moot.ticker.turns import Turn, Turns

TICKER: Final = Caller.service("ticker")
STAND_BY: Final = timedelta(milliseconds=500)
"""How much later each next rank fires what the ranks before it haven't."""

AT_ONCE: Final = 64
PREPARED_AT_ONCE: Final = 8
AHEAD: Final = timedelta(seconds=2)
"""How long before it is due a stream is read, so that firing it costs one append."""
MOST_PREPARED: Final = 5000
"""At most half of what a dispatcher remembers."""

LONGEST_SLEEP: Final = 1.0
STOOD_STILL: Final = 1.5 * LONGEST_SLEEP
"""Who hasn't looked for so long was stopped, and mustn't trust its memory."""
FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 5.0
SOON: Final = 0.005
NOT_SEEN_YET: Final = 0.1

_firings = Counter(
    "moot.ticker.firings", "{deadline}", "Deadlines fired, by what came of it", "moot.outcome"
)
_ahead = Gauge("moot.ticker.deadlines", "{stream}", "Topics and queues in memory that may come due")
_overdue = Gauge(
    "moot.ticker.overdue", SECONDS, "How long the first deadline that should have happened is due"
)
_log = structlog.stdlib.get_logger(__name__)


class Firing:
    """Watches the clock over a board. The log changes the board; call `board_changed` then.

    `living` has each living replica, and whether it is fit. At most `AT_ONCE` commands are under
    way; what waits is a few bytes each.
    """

    def __init__(
        self,
        board: Board,
        dispatcher: Dispatcher,
        *,
        replica: str,
        living: Callable[[], Mapping[str, bool]],
        now: Callable[[], datetime],
    ) -> None:
        self._board = board
        self._dispatcher = dispatcher
        self._replica = replica
        self._living = living
        self._now = now
        self._turns = Turns()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._to_prepare: list[Due] = []
        self._preparing: set[asyncio.Task[None]] = set()
        self._missed: set[tuple[StreamName, Deadline]] = set()
        self._wake = asyncio.Event()
        self._learning = True
        self._looked_at = time.monotonic()
        _ahead.watch(lambda: {(): len(self._board)})
        _overdue.watch(lambda: {(): self._longest_overdue()})

    def board_changed(self, *, caught_up: bool) -> None:
        """The log has told something; `caught_up`: there is nothing that it hasn't."""
        if caught_up:
            self._learning = False
        self._wake.set()

    def forget(self) -> None:
        """The board is another's, and fires nothing before it has caught up."""
        self._learning = True
        self._turns.clear()

    def fire_missed(self, stream: StreamName, deadline: Deadline) -> None:
        """Fire what memory doesn't know, once."""
        if (stream, deadline) in self._missed:
            return
        self._missed.add((stream, deadline))
        due = Due(micros(deadline.due_at), stream.label)
        self._turns.put(Turn(due, missed=(stream, deadline)), micros(self._now()))
        self._wake.set()

    async def run(self) -> None:
        """Fire, for ever."""
        self._looked_at = time.monotonic()
        try:
            while True:
                self._wake.clear()
                self._notice_standstill()
                # What an old state calls due may have happened long ago: first know, then fire.
                if not self._learning:
                    self._look()
                await self._sleep()
        finally:
            for task in (*self._under_way.values(), *self._preparing):
                task.cancel()

    def _notice_standstill(self) -> None:
        looked_at, self._looked_at = self._looked_at, time.monotonic()
        if self._looked_at - looked_at > STOOD_STILL:
            _log.warning("stood_still", seconds=round(self._looked_at - looked_at, 3))
            self._learning = True

    def _look(self) -> None:
        now = self._now()
        for due in self._board.take_due(now + AHEAD):
            self._turns.put_off(Turn(due), due.due_at)
            if len(self._to_prepare) < MOST_PREPARED:
                self._to_prepare.append(due)
        while len(self._under_way) < AT_ONCE and (turn := self._turns.take(micros(now))):
            self._begin(turn, now)
        while self._to_prepare and len(self._preparing) < PREPARED_AT_ONCE:
            self._prepare(self._to_prepare.pop(0), now)

    def _longest_overdue(self) -> float:
        now = micros(self._now())
        known = self._turns.due_times()
        due = [d.due_at for d, missed in known if missed or self._board.stands(d)]
        return max(now - min(due, default=now), 0) / 1e6

    async def _sleep(self) -> None:
        """Until something is due, or an earlier one appears; the clock may be set meanwhile."""
        now, left = micros(self._now()), LONGEST_SLEEP
        next_at = self._turns.next_at()
        # What is due when no more can be under way is begun when one of those ends.
        if next_at is not None and not self._learning and len(self._under_way) < AT_ONCE:
            left = min(left, (next_at - now) / 1e6)
        coming = self._board.next_due_at()
        if coming is not None and not self._learning:
            left = min(left, (micros(coming - AHEAD) - now) / 1e6)
        await _wait(self._wake, left)

    def _begin(self, turn: Turn, now: datetime) -> None:
        if turn.missed is not None:
            self._start(turn, *turn.missed)
            return
        if not self._board.stands(turn.due):
            return
        stream = stream_of(turn.due.label)
        deadline = self._board.deadline(stream)
        if deadline is None:
            return
        wait = self._must_wait(turn, deadline, now)
        if wait is None:
            self._start(turn, stream, deadline)

    def _must_wait(self, turn: Turn, deadline: Deadline, now: datetime) -> Turn | None:
        """Put it off if it isn't its time; return what was put off."""
        if now < deadline.due_at:  # the clock was set back
            return self._put_off(turn, deadline.due_at)
        if turn.due.label in self._under_way:
            return self._put_off(turn, now + timedelta(seconds=SOON))
        if turn.stands_by:
            if self._board.is_caught_up_past(deadline.due_at):
                return None
            return self._put_off(turn, now + timedelta(seconds=NOT_SEEN_YET))
        if turn.tries:
            return None
        key = deadline_key(stream_of(turn.due.label), deadline)
        place = rank(self._replica, self._living(), key)
        if place == 0:
            return None
        # What was overdue before it was known: the others learn of it only now, too.
        from_when = deadline.due_at if deadline.due_at + place * STAND_BY > now else now
        until = from_when + place * STAND_BY
        # Each replica helps the others in an order of its own, so that they don't collide.
        return self._put_off(turn._replace(stands_by=True), until, weight(self._replica, key))

    def _put_off(self, turn: Turn, until: datetime, by_chance: bytes = b"") -> Turn:
        self._turns.put_off(turn, micros(until), by_chance)
        return turn

    def _start(self, turn: Turn, stream: StreamName, deadline: Deadline) -> None:
        task = asyncio.create_task(
            self._fire(stream, deadline), name=f"fire {stream.label} {deadline.command}"
        )
        self._under_way[stream.label] = task
        task.add_done_callback(partial(self._ended, turn))

    def _ended(self, turn: Turn, task: asyncio.Task[None]) -> None:
        if self._under_way.get(turn.due.label) is task:
            del self._under_way[turn.due.label]
        if turn.missed is not None:
            self._missed.discard(turn.missed)
        elif self._board.stands(turn.due):
            # Until the log says that it happened: mostly within a moment.
            wait = min(FIRST_WAIT * 2**turn.tries, LONGEST_WAIT) * random.uniform(1, 1.5)  # noqa: S311 jitter
            again = Turn(turn.due, tries=min(turn.tries + 1, 10))
            self._put_off(again, self._now() + timedelta(seconds=wait))
        self._wake.set()

    def _prepare(self, due: Due, now: datetime) -> None:
        stream = stream_of(due.label)
        deadline = self._board.deadline(stream)
        if deadline is None or not self._board.stands(due) or deadline.due_at <= now:
            return
        if rank(self._replica, self._living(), deadline_key(stream, deadline)) == 0:
            task = asyncio.create_task(self._read_ahead(stream), name=f"read {stream.label}")
            self._preparing.add(task)
            task.add_done_callback(self._prepared)

    def _prepared(self, task: asyncio.Task[None]) -> None:
        self._preparing.discard(task)
        self._wake.set()

    async def _read_ahead(self, stream: StreamName) -> None:
        try:
            await self._dispatcher.prepare(_decider(stream), stream.id)
        except Exception as error:  # noqa: BLE001 firing reads it again, and says what is wrong
            _log.info("not_prepared", stream=stream.label, reason=repr(error))

    async def _fire(self, stream: StreamName, deadline: Deadline) -> None:
        with span(
            f"fire {deadline.command}",
            attributes={"moot.stream": stream.label, "moot.due_at": deadline.due_at.isoformat()},
        ):
            outcome = await self._dispatched(stream, deadline)
        late = (self._now() - deadline.due_at).total_seconds()
        _firings.add(outcome)
        _log.info(
            "deadline_fired",
            stream=stream.label,
            command=deadline.command,
            outcome=outcome,
            late_s=round(late, 4),
        )

    async def _dispatched(self, stream: StreamName, deadline: Deadline) -> str:
        command = deadline_command(deadline, TICKER)
        command_id = firing_id(stream, deadline)
        context = CommandContext(
            command_id=command_id,
            caller_auth_id=TICKER.auth_id,
            correlation_id=command_id,
            traceparent=current_traceparent(),
        )
        try:
            result = await self._dispatcher.dispatch(_decider(stream), stream.id, command, context)
        except Exception as error:  # noqa: BLE001 NATS may be away; it is tried again
            _log.warning("firing_failed", stream=stream.label, reason=repr(error))
            return "fault"
        if not isinstance(result, Outcome):
            return result.code
        return "fired" if result.recorded and not result.replayed else "obeyed"


def _decider(stream: StreamName) -> Any:  # noqa: ANN401 a module, of the category's own types
    return topic if stream.category == "topic" else delivery


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
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
