"""Keeping processes running: what ends is started again, what is asked to stop stops in order."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from moot.cli.errors import CommandError

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
HEALTHY_SECONDS = 30.0
"""Who has run that long has recovered: its next restart is a first one again."""

Tell = Callable[[str, str], None]
"""Takes the name of a child and a line about it."""


class Child(Protocol):
    """Something that runs: a server or a service."""

    @property
    def pid(self) -> int: ...

    async def start(self) -> None: ...

    async def wait(self) -> int: ...

    async def stop(self) -> None: ...


class Backoff:
    """How long to wait before each restart of one child."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE_SECONDS

    def pause_after(self, seconds_it_ran: float) -> float:
        if seconds_it_ran >= HEALTHY_SECONDS:
            self._next = FIRST_PAUSE_SECONDS
        pause = self._next
        self._next = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return pause


class Supervisor:
    """Starts groups of children, restarts each that ends, stops the groups in reverse order."""

    def __init__(self, tell: Tell, changed: Callable[[], None] = lambda: None) -> None:
        """`tell` gets a line for each end and failed restart, `changed` a call at each restart."""
        self._tell = tell
        self._changed = changed
        self._groups: list[Mapping[str, Child]] = []
        self._guards: list[asyncio.Task[None]] = []
        self._ends: dict[str, list[int]] = {}
        self._pids: dict[str, int] = {}

    async def start(self, group: Mapping[str, Child]) -> None:
        """Start the children of a group at the same time and keep them running.

        Raises the first fault among them when all have tried; `stop` is needed all the same.
        """
        self._groups.append(group)
        started = await asyncio.gather(
            *(child.start() for child in group.values()), return_exceptions=True
        )
        for fault in started:
            if isinstance(fault, BaseException):
                raise fault
        for name, child in group.items():
            self._pids[name] = child.pid
            self._guards.append(asyncio.create_task(self._guard(name, child), name=name))

    def ends(self, name: str) -> tuple[int, ...]:
        """The exit codes of a child so far, oldest first."""
        return tuple(self._ends.get(name, ()))

    def pids(self) -> dict[str, int]:
        """The process of each child that has been started, by its name."""
        return dict(self._pids)

    async def stop(self) -> None:
        """Stop restarting, then stop the groups, the last started first."""
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        self._guards.clear()
        while self._groups:
            group = self._groups.pop()
            stops = (child.stop() for child in group.values())
            for name, fault in zip(
                group, await asyncio.gather(*stops, return_exceptions=True), strict=True
            ):
                if fault is not None:
                    self._tell(name, f"didn't stop: {fault}")

    async def _guard(self, name: str, child: Child) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while True:
            started_at = loop.time()
            code = await child.wait()
            self._ends.setdefault(name, []).append(code)
            pause = backoff.pause_after(loop.time() - started_at)
            self._tell(name, f"{_how(code)}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            await self._start_again(name, child, backoff)
            self._changed()

    async def _start_again(self, name: str, child: Child, backoff: Backoff) -> None:
        while True:
            try:
                await child.start()
            except (CommandError, OSError) as fault:
                pause = backoff.pause_after(0)
                self._tell(name, f"{fault}; trying again in {pause:g} s")
                await asyncio.sleep(pause)
            else:
                self._pids[name] = child.pid
                return


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
