"""`deadlines`: how late they fire, JetStream's timestamp minus due, with one ticker.

Baselines in the same run: JetStream's own `@at` schedules, and a poller that looks at a table every
15 s and takes 50, as is usual.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg

from bench.figures import RUNS, SIZES, Result, exponent, latencies, median, percentile, runs_at
from bench.history import Written, document
from bench.prefill import prefill
from bench.processes import running_service
from bench.servers import Servers
from moot.contracts.debates import Caller, Schedule
from moot.contracts.ids import derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import ProposeTopic
from moot.contracts.topic_events import SignupOpened
from moot.domain import topic
from moot.domain.refusal import Refused
from moot.runtime.chronicle import Chronicle
from moot.runtime.decoding import decoded
from moot.runtime.jetstream_api import ask, parse
from moot.runtime.nats_connection import NatsConnection

AT_ONCE = 1000
WAITING = 100_000
AHEAD = timedelta(seconds=1.5)
"""From when the last one is known until the first is due."""
LATE_SECONDS = 30.0

Fire = Callable[[Sequence[datetime]], Awaitable[list[float]]]
"""Arms deadlines for these moments; returns how many seconds late each came."""


@dataclass(frozen=True)
class Load:
    """`count` deadlines at `rate` a second; 0 is all at one instant."""

    name: str
    count: int
    rate: float = 0.0

    def moments(self, first: datetime) -> list[datetime]:
        gap = timedelta(seconds=1 / self.rate) if self.rate else timedelta()
        return [first + number * gap for number in range(self.count)]


# 20/s for 30 s and 200/s, in as many stretches as there are runs.
LOADS = (Load("20/s", 20 * 30 // RUNS, 20), Load("200/s", 400, 200), Load("at once", AT_ONCE))


async def run(servers: Servers) -> Result:
    """Return the p99 at 20/s."""
    async with servers.connected() as nats, servers.chronicle() as chronicle:
        schedules = _Schedules(nats)
        await schedules.make()
        topics = Topics(nats, chronicle)
        async with servers.empty_database() as settings:
            polling = asyncio.create_task(_polled(settings.database_url))
            async with running_service("ticker", settings):
                ours, theirs = await _interleaved(topics.fire, schedules.fire)
                seconds = await _grown(topics.fire, ours["at once"])
                await topics.wait(WAITING)
                waiting = latencies(await _fired(topics.fire, LOADS[0]))
            polled = await polling
    return _result(ours, theirs, seconds, {"100,000 waiting": waiting, "poller 20/s": polled})


def _result(
    ours: Mapping[str, Sequence[Sequence[float]]],
    theirs: Mapping[str, Sequence[Sequence[float]]],
    seconds: Mapping[str, float],
    others: Mapping[str, Mapping[str, float]],
) -> Result:
    moot = {name: _medians(runs) for name, runs in ours.items()}
    at = {f"@at {name}": _medians(runs) for name, runs in theirs.items()}
    first, baseline = moot["20/s"], at["@at 20/s"]
    return Result(
        value=first["p99_ms"],
        unit="ms p99",
        baseline=baseline["p99_ms"],
        ratio=first["p99_ms"] / baseline["p99_ms"],
        runs=[percentile(run, 99) * 1000 for run in ours["20/s"]],
        **first,
        sizes={size: each * 1000 for size, each in seconds.items()},
        exponent=exponent(seconds),
        notes={
            "sizes": f"ms until the last of {AT_ONCE} at one instant",
            "earliest_ms": min(min(run) for runs in ours.values() for run in runs) * 1000,
            **moot,
            **others,
            **at,
        },
    )


def _medians(runs: Sequence[Sequence[float]]) -> dict[str, float]:
    each = [latencies(run) for run in runs]
    return {name: median([one[name] for one in each]) for name in each[0]}


async def _interleaved(
    ours: Fire, theirs: Fire
) -> tuple[dict[str, list[list[float]]], dict[str, list[list[float]]]]:
    found: tuple[dict[str, list[list[float]]], dict[str, list[list[float]]]] = ({}, {})
    for load in LOADS:
        for _ in range(RUNS):
            for fire, kept in zip((ours, theirs), found, strict=True):
                kept.setdefault(load.name, []).append(await _fired(fire, load))
    return found


async def _grown(ours: Fire, at_once: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return for each size when the last of so many at one instant had fired."""
    seconds = {"1": median([max(run) for run in at_once])}
    for size, share in SIZES.items():
        if runs_at(size) == 1:
            seconds[size] = max(await _fired(ours, Load(size, int(AT_ONCE * share))))
    return {size: seconds[size] for size in SIZES}


async def _fired(fire: Fire, load: Load) -> list[float]:
    arming = timedelta(seconds=load.count / 2000)
    return await fire(load.moments(datetime.now(UTC) + arming + AHEAD))


class Topics:
    """Moot's own: topics whose sign-up is to open at those moments."""

    def __init__(self, nats: NatsConnection, chronicle: Chronicle) -> None:
        self._nats = nats
        self._chronicle = chronicle
        self._numbers = count()

    async def fire(self, moments: Sequence[datetime]) -> list[float]:
        last = await prefill(self._nats, self._proposed(moments))
        late: list[float] = []
        async with asyncio.timeout(LATE_SECONDS):
            async for batch in self._chronicle.follow(last):
                for stored in batch.events:
                    event = decoded(stored).event
                    if isinstance(event, SignupOpened):
                        late.append((stored.stored_at - event.due_at).total_seconds())
                if len(late) >= len(moments):
                    break
        return late

    async def fired_twice(self) -> int:
        """Return how many of all were fired more than once."""
        opened: Counter[str] = Counter()
        async for batch in self._chronicle.follow(0):
            if not batch.events:
                break
            for stored in batch.events:
                opened[stored.subject] += isinstance(decoded(stored).event, SignupOpened)
        return sum(times > 1 for times in opened.values())

    async def wait(self, number: int) -> None:
        """Let so many be known that aren't due before tomorrow."""
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await prefill(self._nats, self._proposed([tomorrow] * number))

    def _proposed(self, moments: Sequence[datetime]) -> Iterator[Written]:
        now = datetime.now(UTC)
        for moment in moments:
            hour = timedelta(hours=1)
            command = ProposeTopic(
                by=Caller.agent("agent-1"),
                title="Ban plastic bottles",
                schedule=Schedule(
                    signup_open_at=moment,
                    signup_close_at=moment + 24 * hour,
                    debate_start_at=moment + 25 * hour,
                    debate_end_at=moment + 26 * hour,
                ),
            )
            decided = topic.decide(topic.initial, command, now)
            if isinstance(decided, Refused):
                raise AssertionError(decided)  # noqa: TRY004 it is no matter of its type
            topic_id = derived_id("bench-deadline", str(next(self._numbers)))
            yield document(StreamName("topic", topic_id), decided[0], 1)


class _Schedules:
    """JetStream's: a message that the server itself stores at a moment."""

    def __init__(self, nats: NatsConnection) -> None:
        self._nats = nats
        self._numbers = count()

    async def make(self) -> None:
        config = {
            "name": "TIMERS",
            "subjects": ["timer.>", "fired.>"],
            "allow_msg_schedules": True,
            "allow_msg_ttl": True,
            "allow_direct": True,
        }
        await ask(self._nats, "STREAM.CREATE.TIMERS", config)

    async def fire(self, moments: Sequence[datetime]) -> list[float]:
        run = next(self._numbers)
        async with asyncio.TaskGroup() as group:
            for number, moment in enumerate(moments):
                group.create_task(self._arm(f"{run}.{number}", moment))
        async with asyncio.timeout(LATE_SECONDS):
            while await self._count(f"fired.{run}.*") < len(moments):  # noqa: ASYNC110 nobody tells
                await asyncio.sleep(0.1)
        fired = [
            await ask(self._nats, "STREAM.MSG.GET.TIMERS", {"last_by_subj": f"fired.{run}.{n}"})
            for n in range(len(moments))
        ]
        stored = [datetime.fromisoformat(each["message"]["time"]) for each in fired]
        return [(at - due).total_seconds() for at, due in zip(stored, moments, strict=True)]

    async def _arm(self, name: str, moment: datetime) -> None:
        headers = {
            "Nats-Schedule": f"@at {moment.isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": f"fired.{name}",
        }
        answer = parse(
            await self._nats.request(f"timer.{name}", b"{}", headers=headers, timeout=10)
        )
        if "error" in answer:
            raise ValueError(json.dumps(answer))

    async def _count(self, subject: str) -> int:
        request = {"subjects_filter": subject}
        info = await ask(self._nats, "STREAM.INFO.TIMERS", request)
        return len(info["state"].get("subjects") or {})


POLLED_TABLE = "CREATE TABLE polled (id int PRIMARY KEY, due_at timestamptz, fired_at timestamptz)"
POLLED_ROWS = """
INSERT INTO polled (id, due_at)
SELECT n, clock_timestamp() + n * interval '50 milliseconds' FROM generate_series(1, 600) AS n
"""
POLL = """
UPDATE polled SET fired_at = clock_timestamp() WHERE id IN (
    SELECT id FROM polled WHERE due_at <= clock_timestamp() AND fired_at IS NULL
    ORDER BY due_at LIMIT 50
)
"""
POLLED_LATE = "SELECT extract(epoch FROM fired_at - due_at)::float FROM polled"
POLLED_LEFT = "SELECT count(*) FROM polled WHERE fired_at IS NULL"


async def _polled(database_url: str) -> dict[str, float]:
    """Poll every 15 s, 50 at most, for 20/s over 30 s."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(POLLED_TABLE)
    await connection.execute(POLLED_ROWS)
    while await connection.fetchval(POLLED_LEFT):
        await asyncio.sleep(15)
        await connection.execute(POLL)
    late = [row[0] for row in await connection.fetch(POLLED_LATE)]
    await connection.close()
    return latencies(late)
