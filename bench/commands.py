"""`commands`: sign-ups and arguments through the API, 32 clients over 200 topics.

The baseline stores the same documents again, straight in JetStream, pipelined and unconditional.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Self

from bench.cpu import spent
from bench.figures import RUNS, SIZES, Result, exponent, latencies, median, runs_at, timed
from bench.history import Life, Written, document
from bench.http import HttpClient
from bench.prefill import prefill
from bench.stack import whole_moot
from moot.cli.local.running import Running
from moot.client import MootClient
from moot.contracts.debates import CAMPS, Caller, Camp, Schedule
from moot.contracts.envelope import CONTENT_TYPE
from moot.contracts.ids import derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import (
    AllocateCamps,
    CloseSignup,
    CommitDraw,
    OpenSignup,
    ProposeTopic,
    SignUp,
    StartDebate,
)
from moot.domain.draw import commitment, draw_secret
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.jetstream_api import parse
from moot.runtime.luck import new_id
from moot.runtime.nats_connection import NatsConnection

TOPICS = 200
CLIENTS = 32
COMMANDS = 6_400
PIPELINED = 500
REPLICAS = {"projector": 1, "api": 1}
TICKER = Caller.service("ticker")
ALLOCATOR = Caller.service("allocator")
CONTENT = "Because the evidence shows that a city which taxes single use pays less. " * 8
OK = range(200, 300)


@dataclass(frozen=True)
class Wish:
    path: str
    body: dict[str, object]


async def run(folder: Path) -> Result:
    """Return commands/s at ×1 and the latency that a client sees there."""
    async with whole_moot(folder, REPLICAS) as running:
        nats = NatsConnection()
        await nats.open(running.nats, name="moot-bench")
        arguing = _Arguing()
        await prefill(nats, arguing.written())
        clients = await _Clients.of(running)
        rates: dict[str, list[float]] = {}
        took: list[float] = []
        straight: list[float] = []
        cpu: dict[str, float] = {}
        pids = {name: each[0] for name, each in running.pids.items()}
        await _measured(clients, arguing, CLIENTS * 4)  # the first of everything costs more
        for size, share in SIZES.items():
            for _ in range(runs_at(size)):
                number = int(COMMANDS * share)
                before = await JetStreamChronicle(nats).head()
                with spent(pids, cpu if size == "1" else {}):
                    seconds, each = await _measured(clients, arguing, number)
                rates.setdefault(size, []).append(number / seconds)
                if size == "1":
                    took += each
                    straight.append(await _straight(nats, before, number))
        await nats.close()
    return _result(rates, took, straight, cpu)


def _result(
    rates: Mapping[str, Sequence[float]],
    took: Sequence[float],
    straight: Sequence[float],
    cpu: Mapping[str, float],
) -> Result:
    sizes = {size: median(each) for size, each in rates.items()}
    baseline = median(straight)
    return Result(
        value=sizes["1"],
        unit="commands/s",
        baseline=baseline,
        ratio=sizes["1"] / baseline,
        runs=rates["1"],
        **latencies(took),
        sizes=sizes,
        exponent=exponent({size: COMMANDS * SIZES[size] / rate for size, rate in sizes.items()}),
        notes={
            "clients": CLIENTS,
            "topics": TOPICS,
            "latencies_of": f"all {RUNS} runs at ×1",
            "cpu_us": {name: spent * 1e6 / len(took) for name, spent in cpu.items()},
        },
    )


@dataclass(frozen=True)
class _Clients:
    api: str
    keys: Sequence[str]

    @classmethod
    async def of(cls, running: Running) -> Self:
        api, patience = running.api or "", timedelta(seconds=10)
        async with MootClient.connect(api, admin_key=running.admin_key, patience=patience) as admin:
            issued = [await admin.issue_agent_key(_agent(number)) for number in range(CLIENTS)]
        return cls(api, [each.key for each in issued])

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Sequence[HttpClient]]:
        """Anew for each run: the server hangs up on those who are idle."""
        clients = [await HttpClient.connect(self.api, key) for key in self.keys]
        yield clients
        for client in clients:
            await client.close()


async def _measured(
    clients: _Clients, arguing: "_Arguing", number: int
) -> tuple[float, list[float]]:
    """Return the seconds that `number` commands took together, and those that each took."""
    took: list[float] = []

    async def work(client: HttpClient, wishes: Sequence[Wish]) -> None:
        for wish in wishes:
            began = time.perf_counter()
            status = await client.post(wish.path, wish.body, idempotency_key=new_id())
            took.append(time.perf_counter() - began)
            if status not in OK:
                raise RuntimeError(f"{wish.path} answered {status}")

    work_of_all = [arguing.wishes(agent, number // CLIENTS) for agent in range(CLIENTS)]
    async with clients.connected() as connected:
        with timed() as watch:
            await asyncio.gather(*map(work, connected, work_of_all))
    return watch.seconds, took


async def _straight(nats: NatsConnection, after: int, number: int) -> float:
    """Store again what was stored after a position; return how many a second."""
    bodies: list[bytes] = []
    async for batch in JetStreamChronicle(nats).follow(after, category="topic"):
        bodies += [event.body for event in batch.events]
        if len(bodies) >= number:
            break
    room = asyncio.Semaphore(PIPELINED)
    subjects = [f"chronicle.topic.{derived_id('straight', str(n))}" for n in range(TOPICS)]

    async def store(place: int, body: bytes) -> None:
        headers = {"Content-Type": CONTENT_TYPE, "Nats-Msg-Id": new_id()}
        async with room:
            subject = subjects[place % TOPICS]
            answer = parse(await nats.request(subject, body, headers=headers, timeout=30))
        if "error" in answer:
            raise RuntimeError(answer["error"])

    with timed() as watch:
        async with asyncio.TaskGroup() as group:
            for place, body in enumerate(bodies):
                group.create_task(store(place, body))
    return len(bodies) / watch.seconds


def _agent(number: int) -> str:
    return f"client-{number}"


class _Arguing:
    """Half of the topics take sign-ups, the other half arguments, for as long as it takes."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self._gathering = [life_of(now, debating=None) for _ in range(TOPICS // 2)]
        self._debating = [life_of(now, debating=number) for number in range(TOPICS // 2)]
        # Apart from each other, or all of them would wait for each other at one topic.
        self._rounds = [count(agent * TOPICS // 2 // CLIENTS) for agent in range(CLIENTS)]

    def written(self) -> list[Written]:
        return [
            document(StreamName("topic", topic_id), event, number)
            for topic_id, life in self._by_id().items()
            for number, event in enumerate(life.events, start=1)
        ]

    def _by_id(self) -> dict[str, Life]:
        lives = [*self._gathering, *self._debating]
        return {_topic_id(number): life for number, life in enumerate(lives)}

    def wishes(self, agent: int, number: int) -> list[Wish]:
        """Return an agent's next commands: a sign-up and an argument in turn."""
        caller = Caller.agent(_agent(agent))
        argues = [
            TOPICS // 2 + place
            for place, life in enumerate(self._debating)
            if caller in (life.seated(Camp.PRO), life.seated(Camp.CON))
        ]
        wishes: list[Wish] = []
        while len(wishes) < number:
            turn = next(self._rounds[agent])
            times, gathering = divmod(turn, TOPICS // 2)
            # Signing up again is news only with other camps than before.
            camps = [CAMPS[times % len(CAMPS)]]
            wishes.append(_wish(gathering, "signups", {"willing_camps": camps}))
            debating = argues[turn % len(argues)]
            wishes.append(_wish(debating, "arguments", {"content": f"{turn}: {CONTENT}"}))
        return wishes[:number]


def _wish(topic: int, what: str, body: dict[str, object]) -> Wish:
    return Wish(f"/api/topics/{_topic_id(topic)}/{what}", body)


def _topic_id(number: int) -> str:
    return derived_id("bench-commands", str(number))


def life_of(now: datetime, *, debating: int | None) -> Life:
    """A topic whose sign-up is open, or with three of the clients in a debate."""
    hour = timedelta(hours=1)
    opened = now - 4 * hour
    closes = now + 24 * hour if debating is None else now - 2 * hour
    schedule = Schedule(
        signup_open_at=opened,
        signup_close_at=closes,
        debate_start_at=closes,
        debate_end_at=now + 48 * hour,
    )
    life = Life()
    propose = ProposeTopic(by=Caller.agent("creator"), title="Ban bottles", schedule=schedule)
    life.do(propose, opened - hour)
    life.do(OpenSignup(by=TICKER), opened)
    if debating is None:
        return life
    secret = draw_secret(b"bench", _topic_id(debating))
    life.do(CommitDraw(by=ALLOCATOR, commitment=commitment(secret)), opened)
    for place in range(len(CAMPS)):
        agent = Caller.agent(_agent((debating + place) % CLIENTS))
        life.do(SignUp(by=agent, willing_camps=CAMPS), opened)
    life.do(CloseSignup(by=TICKER), closes)
    life.do(AllocateCamps(by=ALLOCATOR, secret=secret.hex()), closes)
    life.do(StartDebate(by=TICKER), closes)
    return life
