"""`streams`: how late events reach a thousand clients of one topic's stream.

The baseline sends the same bytes, joined just so, from a bare asyncio server of its own process.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from bench.bare_sockets import CLIENTS, EVENTS, EVENTS_A_SECOND, SECONDS
from bench.commands import CONTENT, life_of
from bench.cpu import spent
from bench.figures import RUNS, Result, latencies, median, percentile
from bench.history import document
from bench.memory import resident
from bench.prefill import prefill
from bench.stack import whole_moot
from moot.contracts.debates import Camp
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import AgentId, CommandId, EventId, derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.runtime.chronicle import Message
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.luck import new_id
from moot.runtime.nats_connection import NatsConnection

SETTLING_SECONDS = 1.0
KILOBYTE = 1024
TOPIC = StreamName("topic", derived_id("bench-streams"))

_sent_at = re.compile(rb'"content":"(\d+\.\d+) ').findall


@dataclass
class _Listeners:
    """Clients that note how old each event is that reaches them."""

    took: list[float] = field(default_factory=list[float])
    heard: int = 0
    bytes: int = 0
    _protocols: list["_Listener"] = field(default_factory=list["_Listener"])

    async def connect(self, host: str, port: int, path: str, clients: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(clients):
            _, protocol = await loop.create_connection(lambda: _Listener(self, path), host, port)
            self._protocols.append(protocol)
        await asyncio.gather(*(each.begun for each in self._protocols))

    def close(self) -> None:
        for each in self._protocols:
            each.close()


class _Listener(asyncio.Protocol):
    def __init__(self, listeners: _Listeners, path: str) -> None:
        self._listeners = listeners
        self._path = path
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        request = f"GET {self._path} HTTP/1.1\r\nHost: bench\r\n\r\n"
        self._transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._listeners.bytes += len(data)
        if not self.begun.done() and b"retry:" in data:
            self.begun.set_result(None)
        # What is cut off within an event is looked at again with the rest of it.
        whole, end, rest = (self._rest + data).rpartition(b"\n\n")
        self._rest = rest
        found = _sent_at(whole + end)
        self._listeners.heard += len(found)
        self._listeners.took += [now - float(sent) for sent in found]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def run(folder: Path) -> Result:
    """Return the p99 of delivery, in ms, of the API and of bare sockets."""
    async with whole_moot(folder, {"projector": 1, "api": 1}) as running:
        nats = NatsConnection()
        await nats.open(running.nats, name="moot-bench")
        life = life_of(datetime.now(UTC), debating=0)
        await prefill(nats, [document(TOPIC, e, n) for n, e in enumerate(life.events, start=1)])
        address = urlsplit(running.api or "")
        host, port = address.hostname or "", address.port or 0
        pid = running.pids["api"][0]
        path = f"/api/topics/{TOPIC.id}/stream"
        sizes = [await _grown(host, port, path, pid)]
        ours: list[_Listeners] = []
        bare: list[_Listeners] = []
        cpu: dict[str, float] = {}
        chronicle = JetStreamChronicle(nats)
        for _ in range(RUNS):
            with spent({"api": pid}, cpu):
                ours.append(await _through_the_api(chronicle, host, port, path))
            bare.append(await _through_bare_sockets(ours[-1].bytes // ours[-1].heard))
        await nats.close()
    return _result(ours, bare, sizes, cpu)


def _result(
    ours: Sequence[_Listeners],
    bare: Sequence[_Listeners],
    sizes: Sequence[float],
    cpu: dict[str, float],
) -> Result:
    runs = [percentile(each.took, 99) * 1000 for each in ours]
    baseline = median([percentile(each.took, 99) * 1000 for each in bare])
    late = latencies([seconds for each in ours for seconds in each.took])
    return Result(
        value=median(runs),
        unit="ms p99",
        baseline=baseline,
        ratio=median(runs) / baseline,
        runs=runs,
        p50_ms=late["p50_ms"],
        p99_ms=late["p99_ms"],
        max_ms=late["max_ms"],
        notes={
            "clients": CLIENTS,
            "events_a_second": EVENTS_A_SECOND,
            "bytes_an_event": ours[0].bytes // ours[0].heard,
            "kilobytes_each": median(sizes),
            "delivered": sum(each.heard for each in ours),
            "expected": RUNS * CLIENTS * EVENTS,
            "cpu_of_a_core": {name: s / (RUNS * SECONDS) for name, s in cpu.items()},
        },
    )


async def _grown(host: str, port: int, path: str, pid: int) -> float:
    """Return by how many KB the API grows for each idle client."""
    first = _Listeners()
    await first.connect(host, port, path, CLIENTS // 10)
    await asyncio.sleep(SETTLING_SECONDS)
    before = resident(pid)
    more = _Listeners()
    await more.connect(host, port, path, CLIENTS)
    await asyncio.sleep(SETTLING_SECONDS)
    grown = (resident(pid) - before) * KILOBYTE / CLIENTS
    first.close()
    more.close()
    return grown


async def _through_the_api(
    chronicle: JetStreamChronicle, host: str, port: int, path: str
) -> _Listeners:
    listeners = _Listeners()
    await listeners.connect(host, port, path, CLIENTS)
    last = await chronicle.last(TOPIC)
    position = 0 if last is None else last.position
    async for _ in _beats():
        position = await chronicle.append(TOPIC, position, [_argument()])
    await _all_heard(listeners)
    listeners.close()
    return listeners


async def _beats() -> AsyncGenerator[None]:
    """Yield as often as there is to be an event; late ones follow at once."""
    began = time.monotonic()
    for number in range(EVENTS):
        await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - time.monotonic()))
        yield


async def _all_heard(listeners: _Listeners) -> None:
    deadline = time.monotonic() + 10
    expected = CLIENTS * EVENTS
    while listeners.heard < expected and time.monotonic() < deadline:  # noqa: ASYNC110 no event tells
        await asyncio.sleep(0.05)


def _argument() -> Message:
    an_id = new_id()
    event = ArgumentPosted(
        agent_id=AgentId("client-0"),
        camp=Camp.PRO,
        round_no=0,
        content=f"{time.time():.6f} {CONTENT}",
        posted_at=datetime.now(UTC),
    )
    cause = Cause(CommandId(an_id), "0" * 64, "agent:client-0", an_id, an_id)
    envelope = Envelope(EventId(an_id), TOPIC, "moot/bench", datetime.now(UTC), event, cause)
    return Message(envelope.id, envelope.to_bytes())


async def _through_bare_sockets(size: int) -> _Listeners:
    async with _bare_server(size) as port:
        listeners = _Listeners()
        await listeners.connect("127.0.0.1", port, "/", CLIENTS)
        await _all_heard(listeners)
        listeners.close()
    return listeners


@asynccontextmanager
async def _bare_server(size: int) -> AsyncGenerator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.bare_sockets",
        str(size),
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdout is None:
        raise RuntimeError("no way to learn its port")
    port = int(await process.stdout.readline())
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()
