"""A service's process: it waits for what isn't there, becomes ready, and stops when told."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from moot.cli.local.ports import free_port
from tests.support.waiting import in_time, until

PROGRAM = """
import asyncio, pathlib, signal, sys

import structlog

from moot.runtime import lifecycle
from moot.runtime.settings import RuntimeSettings
from moot.runtime.telemetry import current_traceparent, span

folder = pathlib.Path(sys.argv[1])
log = structlog.stdlib.get_logger()
fails = asyncio.Event()


async def connect() -> None:
    if not (folder / "there").exists():
        raise ConnectionError("nobody there")


async def build(settings, host):
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, fails.set)
    await host.reach("upstream", connect)
    host.on_stop(closed)
    return lifecycle.Service(jobs={"job": job}, drain=(drain,))


async def job() -> None:
    with span("work", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        log.info("working", traceparent=current_traceparent())
    with span("begin"):
        log.info("beginning", traceparent=current_traceparent())
    await fails.wait()
    raise ValueError("the job is broken")


async def drain() -> None:
    log.info("draining")


async def closed() -> None:
    log.info("closed")


lifecycle.main("example", RuntimeSettings, build)
"""


class Example:
    def __init__(self, folder: Path, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.folder = folder
        self.port = port

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def answers(self, path: str, status: int) -> bool:
        try:
            return (await self.get(path)).status_code == status
        except httpx2.TransportError:
            return False

    async def ended(self) -> tuple[int, list[dict[str, str]]]:
        """Return the exit code and the log."""
        _, said = await in_time(self.process.communicate(), within=5)
        assert self.process.returncode is not None
        return self.process.returncode, [json.loads(line) for line in said.splitlines()]


@asynccontextmanager
async def example(
    folder: Path, port: int | None = None, **settings: str
) -> AsyncGenerator[Example]:
    port = port or free_port()
    own = {"NATS_URL": "nats://127.0.0.1:1", "HEALTH_PORT": str(port)}
    environment = {**os.environ, **own, **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(folder), env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Example(folder, process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_waits_becomes_ready_and_stops_on_sigterm(tmp_path: Path) -> None:
    async with example(tmp_path) as service:
        await until(lambda: service.answers("/livez", 200))
        await until(lambda: service.answers("/readyz", 503))
        assert "nobody there" in (await service.get("/health")).json()["reason"]
        (tmp_path / "there").touch()
        await until(lambda: service.answers("/readyz", 200))
        assert "target_info" in (await service.get("/metrics")).text
        assert (await service.get("/../etc/passwd")).status_code == 404
        service.process.send_signal(signal.SIGTERM)
        code, log = await service.ended()
    events = [line["event"] for line in log]
    assert code == 0
    assert events[-3:] == ["draining", "closed", "service_stopped"]
    assert "service_ready" in events
    assert not any("exception" in line for line in log), "waiting is no traceback"


async def test_a_trace_that_came_from_elsewhere_goes_on(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    async with example(tmp_path) as service:
        await until(lambda: service.answers("/readyz", 200))
        service.process.send_signal(signal.SIGINT)
        code, log = await service.ended()
    working = next(line for line in log if line["event"] == "working")
    assert code == 0
    assert working["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert working["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert "b7ad6b7169203331" not in working["traceparent"], "a span of its own"


async def test_a_trace_that_nobody_collects_has_an_id_and_records_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    async with example(tmp_path) as service:
        await until(lambda: service.answers("/readyz", 200))
        service.process.send_signal(signal.SIGINT)
        _, log = await service.ended()
    beginning = next(line for line in log if line["event"] == "beginning")
    trace_id = beginning["trace_id"]
    assert len(trace_id) == 32
    assert beginning["traceparent"].startswith(f"00-{trace_id}-")
    assert not is_sampled(beginning["traceparent"]), "who goes on with it needn't record it either"


async def test_traces_are_sent_to_a_collector(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    async with (
        collector() as (url, received),
        example(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url) as service,
    ):
        await until(lambda: service.answers("/readyz", 200))
        service.process.send_signal(signal.SIGINT)
        _, log = await service.ended()
    beginning = next(line for line in log if line["event"] == "beginning")
    assert is_sampled(beginning["traceparent"])
    assert bytes.fromhex(beginning["trace_id"]) in received
    assert b"begin" in received


def is_sampled(traceparent: str) -> bool:
    return int(traceparent.rpartition("-")[2], 16) & 1 == 1


@asynccontextmanager
async def collector() -> AsyncGenerator[tuple[str, bytearray]]:
    """Yield where to send traces, and the bytes of all that were sent."""
    received = bytearray()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length is not None
        body = await reader.readexactly(int(length[1]))
        received.extend(body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1")
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}", received


async def test_it_stops_while_it_still_waits(tmp_path: Path) -> None:
    async with example(tmp_path) as service:
        await until(lambda: service.answers("/livez", 200))
        service.process.send_signal(signal.SIGTERM)
        code, _ = await service.ended()
    assert code == 0


async def test_a_job_that_fails_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    async with example(tmp_path) as service:
        await until(lambda: service.answers("/readyz", 200))
        service.process.send_signal(signal.SIGUSR1)
        code, log = await service.ended()
    assert code == 1
    failed = next(line for line in log if line["event"] == "job_failed")
    assert "the job is broken" in json.dumps(failed)


async def test_a_taken_health_port_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    async with example(tmp_path) as first:
        await until(lambda: first.answers("/livez", 200))
        async with example(tmp_path, first.port) as second:
            code, log = await second.ended()
    assert code == 1
    assert [line["event"] for line in log] == ["health_port_unavailable"]
    assert "already in use" in log[0]["reason"]
