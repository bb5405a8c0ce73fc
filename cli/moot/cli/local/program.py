"""A service of the local stack: a process with a port that tells whether it is ready."""

import json
import signal
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from moot.cli.local.probe import http_get
from moot.cli.local.process import Process, Sink, discard, dying_with_parent

STOP_SECONDS = 7.0
"""A service stops within 5 s by itself."""


class Program:
    """One replica, started and stopped any number of times."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        health_port: int,
        sink: Sink = discard,
    ) -> None:
        self.health_port = health_port
        self._arguments = arguments
        self._environment = environment
        self._sink = sink
        self._process: Process | None = None
        self._said_before = ""

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def tail(self) -> str:
        """The last lines it said; as long as it has said none, those of the one before it."""
        return self._running().tail or self._said_before

    async def start(self) -> None:
        """Start it; it is ready when `not_ready` gives None."""
        if self._process is not None:
            self._said_before = self.tail
        self._process = Process(
            [*dying_with_parent(signal.SIGKILL), *self._arguments],
            environment=self._environment,
            sink=self._sink,
        )

    async def wait(self) -> int:
        """Wait for its end; the answer is the exit code."""
        return await self._running().wait()

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop(signal.SIGTERM, STOP_SECONDS)

    async def not_ready(self) -> str | None:
        """Why it isn't ready; None when it is."""
        answer = await http_get(self.health_port, "/readyz")
        if answer is None:
            return "doesn't answer"
        if answer.status == HTTPStatus.OK:
            return None
        return _reasons(answer.body) or f"/readyz answers {answer.status}"

    def _running(self) -> Process:
        if self._process is None:
            raise AssertionError("start the program first")
        return self._process


def _reasons(body: bytes) -> str:
    """The checks that don't hold, out of an answer of /readyz."""
    try:
        checks = json.loads(body)["checks"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "; ".join(f"{name}: {state}" for name, state in checks if state != "ok")
