"""Readers at an even rate through the API, who note how long each read took and what failed."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.history import topic_of
from bench.http import HttpClient

CONNECTIONS = 16
OK = 200
LONGEST_SECONDS = 30.0
LISTED = "/api/topics?limit=20"


@dataclass
class Readers:
    """Topics, what was said in them, and lists: `rate` reads/s, due evenly, whoever is slow.

    A read's time is counted from when it was due.
    """

    api: str
    rate: float
    topics: int
    took: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When each that didn't fail was due, and how long it took."""
    failed: list[str] = field(default_factory=list[str])
    _luck: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 the same reads each time
    _over: bool = False

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator["Readers"]:
        clients = asyncio.Queue[HttpClient]()
        for _ in range(CONNECTIONS):
            clients.put_nowait(await HttpClient.connect(self.api))
        pacing = asyncio.create_task(self._read_on(clients))
        try:
            yield self
        finally:
            self._over = True
            await pacing
            while not clients.empty():
                await clients.get_nowait().close()

    def between(self, begin: float, end: float) -> Sequence[float]:
        """Return how long those took that were due then."""
        return [seconds for due, seconds in self.took if begin <= due < end]

    async def _read_on(self, clients: asyncio.Queue[HttpClient]) -> None:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = began + number / self.rate
                await asyncio.sleep(max(due - time.perf_counter(), 0))
                if self._over:
                    return
                group.create_task(self._read(clients, self._path(number), due))

    async def _read(self, clients: asyncio.Queue[HttpClient], path: str, due: float) -> None:
        client = await clients.get()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                status = await client.get(path)
            if status == OK:
                self.took.append((due, time.perf_counter() - due))
            else:
                self.failed.append(f"{path} answered {status}")
        except (OSError, EOFError, TimeoutError) as error:
            self.failed.append(f"{path}: {error!r}")
            client = await HttpClient.connect(self.api)
        clients.put_nowait(client)

    def _path(self, number: int) -> str:
        topic = f"/api/topics/{topic_of(self._luck.randrange(self.topics))}"
        return (topic, f"{topic}/arguments", topic, LISTED)[number % 4]
