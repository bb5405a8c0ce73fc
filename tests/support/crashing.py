"""A process that is killed at its n-th suspension, as kill -9 kills, without being one.

Every task of it is stepped through here. Killed, none takes another step, so no `except` and no
`finally` has any effect, and its lines to PostgreSQL are cut. Each `await` that waits for anything
is a point where that can happen, those of the driver and the pool too.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar, copy_context
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from tests.support.tcp_proxy import TcpProxy, running_proxy

Main = Callable[[str], Coroutine[Any, Any, None]]
"""What the process runs, given the URL of its own line to PostgreSQL."""

ResultT = TypeVar("ResultT")

CLOSE_SECONDS = 5.0


class Sent(Enum):
    """What becomes of what a process that is killed has just sent to PostgreSQL."""

    LOST = "lost"
    CARRIED_OUT = "carried out"


class Process:
    """Tasks that die together."""

    def __init__(self, dies_at: int | None, sent: Sent) -> None:
        self.suspensions = 0
        self.dead = False
        self.mortal = dies_at is not None
        self._dies_at = dies_at
        self._sent = sent
        self._closing = False
        self._line: TcpProxy | None = None
        self._died = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def died(self) -> None:
        """Return when it has been killed and PostgreSQL is done with what it sent."""
        await self._died.wait()
        if self._sent is Sent.CARRIED_OUT:
            assert self._line is not None
            await self._line.hung_up()

    def start(self, line: TcpProxy, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._line = line
        context = copy_context()
        context.run(_PROCESS.set, self)
        task = asyncio.create_task(self.stepped(main), context=context)
        self.owns(task)
        return task

    def owns(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stepped(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        return await _Steps(self, coroutine)

    def suspends(self) -> None:
        self.suspensions += 1
        if self.suspensions == self._dies_at and not self._closing:
            self.kill()

    def kill(self) -> None:
        assert self._line is not None
        self.dead = True
        match self._sent:
            case Sent.LOST:
                self._line.cut()
            case Sent.CARRIED_OUT:
                self._line.hang_up()
        self._died.set()

    def stands_still(self) -> Generator[Any, Any, bool]:
        """Wait while it is dead; whether it was."""
        was_dead = self.dead
        while self.dead and not self._closing:
            with suppress(asyncio.CancelledError):
                yield from asyncio.get_running_loop().create_future()
        return was_dead

    async def close(self) -> None:
        """End what is left; of a dead one nothing reaches anybody."""
        self._closing = True
        ended: list[asyncio.Task[Any]] = []
        async with asyncio.timeout(CLOSE_SECONDS):
            while left := list(self._tasks):
                for task in left:
                    task.cancel()
                await asyncio.wait(left)
                ended += left
        for task in ended:
            error = None if task.cancelled() else task.exception()
            if error is not None and not self.dead:
                raise error


class _Steps(Awaitable[ResultT]):
    """A coroutine whose every suspension its process hears of."""

    def __init__(self, process: Process, coroutine: Coroutine[Any, Any, ResultT]) -> None:
        self._process = process
        self._steps = coroutine

    def __await__(self) -> Generator[Any, Any, ResultT]:
        error: BaseException | None = None
        while True:
            if (yield from self._process.stands_still()):
                error = asyncio.CancelledError()
            try:
                step = self._steps.send(None) if error is None else self._steps.throw(error)
            except StopIteration as returned:
                return returned.value
            self._process.suspends()
            error = None
            try:
                yield step
            except BaseException as thrown:  # noqa: BLE001 thrown into the coroutine
                error = thrown


@asynccontextmanager
async def crashing(
    database_url: str, main: Main, dies_at: int | None = None, sent: Sent = Sent.LOST
) -> AsyncGenerator[Process]:
    """Run `main` until it is killed at suspension `dies_at`, or until the end, as SIGTERM ends it.

    What goes wrong in one that isn't killed raises here.
    """
    process = Process(dies_at, sent)
    asyncio.get_running_loop().set_task_factory(_new_task)  # for as long as the test has this loop
    port = urlsplit(database_url).port
    assert port is not None
    async with running_proxy(port) as line:
        process.start(line, main(_through(line, database_url)))
        try:
            yield process
        finally:
            if process.dead:
                line.cut()
            await process.close()


def _through(line: TcpProxy, database_url: str) -> str:
    there = urlsplit(database_url)
    user, _, _ = there.netloc.rpartition("@")
    return urlunsplit(there._replace(netloc=f"{user}@127.0.0.1:{line.port}"))


_PROCESS: ContextVar[Process | None] = ContextVar("_PROCESS", default=None)


def _new_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Any,  # noqa: ANN401 asyncio's own
    **options: Any,  # noqa: ANN401 asyncio's own
) -> asyncio.Task[Any]:
    process = _PROCESS.get()
    if process is None:
        return asyncio.Task(coroutine, loop=loop, **options)
    task = asyncio.Task(process.stepped(coroutine), loop=loop, **options)
    task.add_done_callback(lambda _: coroutine.close())  # one that never began would complain
    process.owns(task)
    return task
