"""The supervisor over real processes: small programs that are ready, fail and end as told."""

import os
import signal
import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest

from moot.cli.errors import SurroundingsError
from moot.cli.local.ports import free_port
from moot.cli.local.process import Process, command_line, dying_with_parent
from moot.cli.local.program import Program
from moot.cli.local.supervisor import Backoff, Supervisor
from tests.support.waiting import until

READY_PROGRAM = """
import http.server, json, os, pathlib

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        reason = pathlib.Path("reason").read_text() if os.path.exists("reason") else "ok"
        self.send_response(200 if reason == "ok" else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"checks": {"nats": reason, "tables": "ok"}}).encode())
    def log_message(self, *_): pass

print("here", os.environ["GREETING"], flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["HEALTH_PORT"])), Answer).serve_forever()
"""
STUBBORN_PROGRAM = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: print("not yet", flush=True))
print("deaf", flush=True)
while True: signal.pause()
"""

PATH = {"PATH": os.environ["PATH"]}


class Told:
    """What a supervisor and its children said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")

    async def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def supervisor(told: Told) -> AsyncGenerator[Supervisor]:
    supervisor = Supervisor(told.tell)
    yield supervisor
    await supervisor.stop()


def ready_program(folder: Path, told: Told, name: str = "ready") -> Program:
    port = free_port()
    environment = {**os.environ, "HEALTH_PORT": str(port), "GREETING": name}
    arguments = ["sh", "-c", f'cd "{folder}" && exec "$0" -c "$1"', sys.executable, READY_PROGRAM]
    return Program(
        arguments,
        environment=environment,
        health_port=port,
        sink=partial(told.tell, name),
    )


async def is_ready(program: Program) -> bool:
    return await program.not_ready() is None


async def test_a_program_is_ready_when_it_says_so_and_else_says_why(
    tmp_path: Path, supervisor: Supervisor, told: Told
) -> None:
    (tmp_path / "reason").write_text("no answer")
    program = ready_program(tmp_path, told)
    await supervisor.start({"one-1": program})

    async def answers() -> bool:
        return await program.not_ready() == "nats: no answer"

    await until(answers)
    (tmp_path / "reason").unlink()
    await until(lambda: is_ready(program))
    assert told.lines == ["ready: here ready"]


async def test_what_is_killed_runs_again_at_once(
    tmp_path: Path, supervisor: Supervisor, told: Told
) -> None:
    program = ready_program(tmp_path, told)
    await supervisor.start({"one-1": program})
    await until(lambda: is_ready(program))
    first = program.pid
    os.kill(first, signal.SIGKILL)

    async def runs_again() -> bool:
        return supervisor.pids()["one-1"] != first and await is_ready(program)

    await until(runs_again)
    assert "one-1: was ended by signal 9; starting it again in 0.05 s" in told.lines
    assert supervisor.ends("one-1") == (-signal.SIGKILL,)


async def test_what_keeps_failing_is_restarted_ever_more_slowly(
    supervisor: Supervisor, told: Told
) -> None:
    failing = Program([sys.executable, "-c", "exit(3)"], environment={}, health_port=1)
    await supervisor.start({"one-1": failing})
    await until(lambda: told.has("in 0.4 s"))
    pauses = [line.rpartition("again in ")[2] for line in told.lines]
    assert pauses == ["0.05 s", "0.1 s", "0.2 s", "0.4 s"]
    assert set(supervisor.ends("one-1")) == {3}


def test_pauses_double_up_to_a_limit_and_start_over_after_a_healthy_run() -> None:
    backoff = Backoff()
    pauses = [backoff.pause_after(0) for _ in range(9)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff.pause_after(31) == 0.05


async def test_the_last_group_stops_before_the_first(
    supervisor: Supervisor, tmp_path: Path, told: Told
) -> None:
    ended = tmp_path / "ended"

    def noting(name: str) -> Program:
        note = f"echo {name} >>{ended}; exit"
        script = f"trap '{note}' TERM; echo running; while :; do sleep 0.01; done"
        sink = partial(told.tell, name)
        return Program(["sh", "-c", script], environment=PATH, health_port=1, sink=sink)

    for name in ("server", "service"):
        await supervisor.start({name: noting(name)})
        await until(lambda name=name: told.has(f"{name}: running"))
    pids = supervisor.pids()
    await supervisor.stop()
    assert ended.read_text().split() == ["service", "server"]
    assert [command_line(pid) for pid in pids.values()] == ["", ""]


async def test_what_it_said_at_its_end_is_known_until_the_next_one_says_something(
    tmp_path: Path,
) -> None:
    script = f"cd {tmp_path}; [ -e once ] && exec sleep 60; touch once; echo no room today; exit 1"
    program = Program(["sh", "-c", script], environment=PATH, health_port=1)
    await program.start()
    assert await program.wait() == 1
    await program.start()
    assert program.tail == "no room today"
    await program.stop()


async def test_a_start_that_fails_is_told_and_stops_nothing_else(
    supervisor: Supervisor, tmp_path: Path, told: Told
) -> None:
    class Refusing(Program):
        async def start(self) -> None:
            raise SurroundingsError("no room")

    fine = ready_program(tmp_path, told)
    refusing = Refusing([], environment={}, health_port=1)
    with pytest.raises(SurroundingsError, match="no room"):
        await supervisor.start({"fine-1": fine, "refusing-1": refusing})
    await until(lambda: is_ready(fine))
    await supervisor.stop()
    assert not command_line(fine.pid)


async def test_who_ignores_a_request_to_end_is_killed() -> None:
    said: list[str] = []
    process = Process([sys.executable, "-c", STUBBORN_PROGRAM], sink=said.append)

    async def listens() -> bool:
        return "deaf" in said

    await until(listens)
    assert await process.stop(signal.SIGTERM, grace_seconds=0.2) == -signal.SIGKILL
    process.drain()
    assert said == ["deaf", "not yet"]


async def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    if not dying_with_parent(signal.SIGKILL):
        pytest.skip("this system can't tell a child that its parent is gone")
    script = f"""
import asyncio, pathlib
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.postgres_server import PostgresServer

async def main():
    folder = pathlib.Path({str(tmp_path)!r})
    nats = NatsServer(folder / "nats")
    postgres = PostgresServer(folder / "postgres", password="made-up", durable=False)
    await asyncio.gather(nats.start(), postgres.start())
    print(nats.pid, postgres.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    said: list[str] = []
    parent = Process([sys.executable, "-c", script], sink=said.append)

    async def has_started() -> bool:
        return bool(said)

    await until(has_started)
    pids = [int(pid) for pid in said[0].split()]
    assert all(command_line(pid) for pid in pids)
    await parent.kill()

    async def are_gone() -> bool:
        return not any(command_line(pid) for pid in pids)

    await until(are_gone)
