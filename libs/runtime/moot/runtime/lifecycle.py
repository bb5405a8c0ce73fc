"""The life of a service's process: settings, connections, ready, drain, stop.

`python -m moot.<name>` is `lifecycle.main(name, Settings, build)`. `build(settings, host)` connects
and wires, and returns the jobs that run until the process is told to stop.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import structlog
import uvloop

from moot.runtime import health
from moot.runtime.logs import start_logging
from moot.runtime.process_metrics import watch_loop
from moot.runtime.providers import start_telemetry
from moot.runtime.readiness import Readiness
from moot.runtime.settings import RuntimeSettings, load_settings

# Together under the 5 s that a stopping process has.
DRAIN_SECONDS = 3.0
CANCEL_SECONDS = 1.0
CLOSE_SECONDS = 0.7
FLUSH_SECONDS = 0.3

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 2.0
READY_LOOK_SECONDS = 0.1

COLLECT_AFTER = (200_000, 5, 50)
"""Objects, more than two batches of the Chronicle are; then rounds of each younger generation."""

Job = Callable[[], Coroutine[Any, Any, None]]
Close = Callable[[], Awaitable[object]]

SettingsT = TypeVar("SettingsT", bound=RuntimeSettings)
ConnectionT = TypeVar("ConnectionT")
ResultT = TypeVar("ResultT")

log = structlog.stdlib.get_logger()


@dataclass(frozen=True)
class Service:
    """What a process does until it is told to stop. A job that ends or fails ends the process."""

    jobs: Mapping[str, Job]
    drain: tuple[Close, ...] = ()
    """Called first when stopping: take nothing new, finish what is begun, within 3 s."""


@dataclass
class Host:
    """What a process lends to the service that is being built in it."""

    readiness: Readiness = field(default_factory=Readiness)
    closers: AsyncExitStack = field(default_factory=AsyncExitStack)

    def on_stop(self, close: Close) -> None:
        """Call `close` when the jobs have ended; what was opened last is closed first."""
        self.closers.push_async_callback(_closed, close)

    async def reach(self, what: str, connect: Callable[[], Awaitable[ConnectionT]]) -> ConnectionT:
        """Return what `connect` gives, trying until it does. Until then not ready, with the reason.

        Each failure is one line in the log. Close the connection by `on_stop`.
        """
        pause = FIRST_RETRY_SECONDS
        self.readiness.block(what, "connecting")
        while True:
            try:
                connection = await connect()
            except Exception as error:  # noqa: BLE001 whatever is wrong out there may be mended
                reason = _in_words(error)
                self.readiness.block(what, reason)
                log.warning("connection_failed", to=what, reason=reason, retry_in_s=pause)
            else:
                self.readiness.clear(what)
                return connection
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)


Build = Callable[[SettingsT, Host], Coroutine[Any, Any, Service]]


def main(name: str, settings_class: type[SettingsT], build: Build[SettingsT]) -> NoReturn:
    """Run the service until SIGTERM or SIGINT; exit with 0, with 2 on bad settings, else with 1."""
    settings = load_settings(settings_class)
    start_logging(name, log_format=settings.log_format, level=settings.log_level)
    telemetry = start_telemetry(name, settings.replica)
    code = run_at_full_speed(run(settings, build))
    telemetry.flush(FLUSH_SECONDS)
    sys.exit(code)


def run_at_full_speed(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """As `asyncio.run`, for what goes through many events."""
    collect_rarely()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def collect_rarely() -> None:
    """Let the garbage collector look less often, and never at what was imported.

    Batches of events are thousands of objects without a cycle among them: looking at them all the
    same takes a seventh of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def run(settings: SettingsT, build: Build[SettingsT]) -> int:
    """Run the service until the process gets SIGTERM or SIGINT; return its exit code."""
    stopping = asyncio.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, stopping.set)
    host = Host()
    if settings.health_port:
        try:
            server = await health.serve(host.readiness, settings.health_host, settings.health_port)
        except OSError as error:
            address = f"{settings.health_host}:{settings.health_port}"
            log.error("health_port_unavailable", address=address, reason=_in_words(error))  # noqa: TRY400 the reason is all there is to it
            return 1
        host.closers.callback(server.close)
    log.info("service_started", replica=settings.replica)
    lag = asyncio.create_task(watch_loop(), name="loop lag")
    host.closers.callback(lag.cancel)
    code = await _until_told(host, stopping, _live(settings, build, host, stopping))
    log.info("service_stopped", code=code)
    return code


async def _until_told(host: Host, stopping: asyncio.Event, life: Coroutine[Any, Any, None]) -> int:
    """Run `life` until it fails or, after `stopping`, has ended; then close everything."""
    living = asyncio.create_task(life)
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({living, told}, return_when=asyncio.FIRST_COMPLETED)
    host.readiness.block("stopping", "draining")
    await asyncio.wait({living}, timeout=DRAIN_SECONDS + CANCEL_SECONDS)
    failed = await _ended(living)
    told.cancel()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await host.closers.aclose()
    except TimeoutError:
        log.warning("close_timed_out", seconds=CLOSE_SECONDS)
    return 1 if failed else 0


async def _live(
    settings: SettingsT, build: Build[SettingsT], host: Host, stopping: asyncio.Event
) -> None:
    host.readiness.block("start", "starting")
    building = asyncio.create_task(build(settings, host))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({building, told}, return_when=asyncio.FIRST_COMPLETED)
    if not building.done():
        building.cancel()
        await asyncio.wait({building})
        return
    service = building.result()
    host.readiness.clear("start")
    jobs = {asyncio.create_task(job(), name=of): of for of, job in service.jobs.items()}
    ready = asyncio.create_task(_say_when_ready(host.readiness))
    await asyncio.wait({*jobs, told}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    early = [task for task in jobs if task.done() and not stopping.is_set()]
    host.readiness.block("stopping", "draining")
    await _drain(service, set(jobs))
    if early:
        raise JobEndedError(jobs[early[0]]) from early[0].exception()


class CannotStartError(Exception):
    """Raised by `build`: whoever starts it must change something; the text says what is wrong."""


class JobEndedError(Exception):
    """A job that should run as long as its process ended; the cause says why, if it failed."""


async def _drain(service: Service, jobs: set[asyncio.Task[None]]) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await asyncio.gather(*(drain() for drain in service.drain))
    except TimeoutError:
        log.warning("drain_timed_out", seconds=DRAIN_SECONDS)
    for job in jobs:
        job.cancel()
    if jobs:
        await asyncio.wait(jobs, timeout=CANCEL_SECONDS)
    for job in jobs:
        if job.done() and not job.cancelled() and (error := job.exception()):
            log.error("job_failed", job=job.get_name(), exc_info=error)


async def _ended(living: asyncio.Task[None]) -> bool:
    """Return whether it failed, and say so."""
    if not living.done():
        living.cancel()
        log.error("stop_timed_out")
        return True
    error = None if living.cancelled() else living.exception()
    if isinstance(error, CannotStartError):
        log.error("cannot_start", reason=str(error))
    elif error is not None:
        log.error("service_failed", reason=_in_words(error), exc_info=error)
    return error is not None


async def _say_when_ready(readiness: Readiness) -> None:
    before: str | None = None
    while True:
        report = await readiness.report()
        if report.ready:
            log.info("service_ready")
            return
        if report.reason != before:
            before = report.reason
            log.warning("service_not_ready", reason=before)
        await asyncio.sleep(READY_LOOK_SECONDS)


async def _closed(close: Close) -> None:
    try:
        await close()
    except Exception as error:  # noqa: BLE001 the rest must be closed too
        log.warning("close_failed", reason=_in_words(error))


def _in_words(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
