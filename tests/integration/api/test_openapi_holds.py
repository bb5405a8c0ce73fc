"""docs/openapi.json, held against the running API by somebody who knows nothing else of it."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from moot.api import exchange
from moot.api.operations import Operation
from moot.api.problems import PROBLEMS
from moot.api.routes import OPERATIONS
from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN_KEY, World
from tests.support.topics import NOON

RUN = (sys.executable, "-m", "schemathesis.cli", "run")
STAGES = (
    Stage.CREATED,
    Stage.SIGNUP_OPEN,
    Stage.ALLOCATING,
    Stage.SIGNUP_CLOSED,
    Stage.DEBATING,
    Stage.JUDGING,
)
ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "429"]
MALFORMED = {"invalid-request", "invalid-header"}
"""What no request that fits the document may be refused for."""

SAID_IN_WORDS = {"change_webhook", "list_events"}
"""No schema tells that a URL can be called, or that an id goes with a category."""

STREAMS = ("stream_topic", "stream_chronicle")
"""They have no end to wait for; test_streams.py is about them."""

HOOKS = """
import schemathesis


@schemathesis.hook
def filter_case(context, case):
    # Nothing forbids headers that nobody reads.
    return "x-schemathesis-unknown-property" not in (case.headers or {})


@schemathesis.hook
def map_query(context, query):
    # Nobody posts anything meanwhile.
    wait = (query or {}).get("wait")
    return {**query, "wait": min(wait, 1)} if isinstance(wait, int) else query
"""


def config() -> Iterator[str]:
    """Which refusals each operation documents beyond those of any."""
    for operation in OPERATIONS:
        codes = [code for code in _refusals(operation) if code not in MALFORMED]
        refused = sorted({str(PROBLEMS[code].status) for code in codes} - {"503"})
        behind = ["503"] if "projection-behind" in codes else []
        yield "[[operations]]"
        yield f'include-operation-id = "{operation.name}"'
        accepted = json.dumps([*ACCEPTED, *refused, *behind])
        yield f"checks.positive_data_acceptance.expected-statuses = {accepted}"
        answered = json.dumps(["2xx", "3xx", "4xx", *behind])
        yield f"checks.not_a_server_error.expected-statuses = {answered}"


def _refusals(operation: Operation) -> tuple[str, ...]:
    reused = () if operation.method == "GET" else ("idempotency-key-reused", "precondition-failed")
    in_words = ("title-required",) if operation.name in SAID_IN_WORDS else ()
    return (*operation.problems, *reused, *in_words)


async def findings(address: str, caller: str, folder: Path, *options: str) -> str:
    """Its report, if it found anything."""
    process = await asyncio.create_subprocess_exec(
        *RUN,
        f"{address}/api/openapi.json",
        "--checks=all",
        "--continue-on-failure",
        "--no-shrink",
        "--no-color",
        "--suppress-health-check=all",
        "--warnings=off",
        f"--header={caller}",
        *(f"--exclude-operation-id={name}" for name in STREAMS),
        *options,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert b"Stateful" in said, said.decode()
    return said.decode() if process.returncode else ""


@pytest.fixture(autouse=True)
def nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """For positions that never come."""
    monkeypatch.setattr(exchange, "DEFAULT_WAIT_SECONDS", 0.02)
    monkeypatch.setattr(exchange, "LONGEST_WAIT_SECONDS", 0.02)


async def found(address: str, world: World, folder: Path, options: Sequence[str]) -> str:
    """What it finds, as an admin and as an agent, with a topic in each stage to find it at."""
    (folder / "schemathesis.toml").write_text("\n".join(config()))
    (folder / "hooks.py").write_text(HOOKS)
    for stage in STAGES:
        world.clock.at = NOON
        topic_id = await world.propose()
        if stage is not Stage.CREATED:
            await world.reach(topic_id, stage)
    agent = await world.agent("creator")
    callers = (f"X-Moot-Admin-Key: {ADMIN_KEY}", f"Authorization: {agent['Authorization']}")
    reports = [await findings(address, caller, folder, *options) for caller in callers]
    return "\n".join(reports)


@pytest.mark.timeout(120)
async def test_schemathesis_finds_nothing(address: str, world: World, tmp_path: Path) -> None:
    options = ("--max-examples=2", "--seed=1")
    report = await found(address, world, tmp_path, options)
    assert not report.strip(), report


@pytest.mark.hard
@pytest.mark.timeout(1200)
async def test_schemathesis_finds_nothing_for_minutes(
    address: str, world: World, tmp_path: Path
) -> None:
    report = await found(address, world, tmp_path, ("--max-examples=200", "--max-time=300"))
    assert not report.strip(), report
