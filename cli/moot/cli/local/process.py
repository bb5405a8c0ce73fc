"""One process of the local stack: its output read line by line, its end awaited."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

Sink = Callable[[str], None]
"""Takes one line of a process's output, without its line end; called in a thread of its own."""

KEPT_LINES = 40
POLL_SECONDS = 0.05


def discard(_line: str) -> None:
    """Be the sink of somebody who needs `Process.tail` only."""


class Process:
    """A started process, until `stop`, `kill` or an end of its own.

    It belongs to no event loop: it may be started under one and stopped under another, as test
    fixtures do. It is a session of its own, so a Ctrl-C in the terminal reaches its parent only.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        sink: Sink = discard,
    ) -> None:
        self._tail: deque[str] = deque(maxlen=KEPT_LINES)
        self._sink = sink
        self._popen = subprocess.Popen(
            arguments,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; −N when signal N ended it."""
        return self._popen.poll()

    @property
    def tail(self) -> str:
        """The last lines it said; all of them are read once it has ended."""
        if self.exit_code is not None:
            self.drain()
        return "\n".join(self._tail)

    async def wait(self) -> int:
        """Wait for its end; the answer is `exit_code`."""
        if self._popen.poll() is None:
            with suppress(ProcessLookupError):
                await _gone(self.pid)
        while (code := self._popen.poll()) is None:  # noqa: ASYNC110 - where there is no pidfd
            await asyncio.sleep(POLL_SECONDS)
        return code

    async def stop(self, ask: signal.Signals, grace_seconds: float) -> int:
        """Ask it to end; kill it if it hasn't after `grace_seconds`. The answer is `exit_code`."""
        self._send(ask)
        try:
            return await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        self._send(signal.SIGKILL)
        return await self.wait()

    def drain(self) -> None:
        """Let the sink have what an ended process left in the pipe."""
        self._reader.join(timeout=1)

    def _send(self, ask: signal.Signals) -> None:
        self._popen.send_signal(ask)

    def _read(self) -> None:
        output = self._popen.stdout
        if output is None:
            return
        with output:
            for line in output:
                text = line.rstrip("\n")
                self._tail.append(text)
                self._sink(text)


async def _gone(pid: int) -> None:
    """Wait until `pid` is no more; at once where the system has no descriptor for that."""
    if not hasattr(os, "pidfd_open"):
        return
    descriptor = os.pidfd_open(pid)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def dying_with_parent(ask: signal.Signals) -> list[str]:
    """Arguments to put before a command so that it gets `ask` when the thread that started it ends.

    Nothing on a system without util-linux's setpriv: there an orphan is found at the next start.
    """
    setpriv = _setpriv_with_death_signal()
    return [setpriv, "--pdeathsig", ask.name.removeprefix("SIG"), "--"] if setpriv else []


@cache
def _setpriv_with_death_signal() -> str | None:
    setpriv = shutil.which("setpriv")
    if setpriv is None or sys.platform != "linux":
        return None
    tried = subprocess.run(
        [setpriv, "--pdeathsig", "KILL", "--", "true"], check=False, capture_output=True
    )
    return setpriv if tried.returncode == 0 else None


def command_line(pid: int) -> str:
    """The arguments `pid` was started with, joined by blanks; empty when there is no `pid`."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


async def end_orphan(pid: int, *, named: str, asks: Sequence[tuple[signal.Signals, float]]) -> bool:
    """End the process `pid` if its command line contains `named`; whether there was one to end.

    `asks` are signals with the seconds to wait after each; what outlives them all stays.
    """
    if named not in command_line(pid):
        return False
    for ask, seconds in asks:
        with suppress(ProcessLookupError):
            os.kill(pid, ask)
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if named not in command_line(pid):
                return True
            await asyncio.sleep(POLL_SECONDS)
    return True
