"""docs/openapi.json, held against the running API by somebody who knows nothing else of it."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from moot.api import exchange
from moot.api.operations import Operation
from moot.api.problems import PROBLEMS
from moot.api.routes import OPERATIONS
from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN, NOBODY, World
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

ALL_BEGAN = r"Scenarios: +[1-9]|Stateful \(disabled\)"
"""What it says when sequences of requests were tried, or not asked for."""

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


async def findings(
    address: str, caller: Mapping[str, str], folder: Path, options: Sequence[str]
) -> str:
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
        *(f"--header={name}: {value}" for name, value in caller.items()),
        *(f"--exclude-operation-id={name}" for name in STREAMS),
        *options,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    report = said.decode()
    assert re.search(ALL_BEGAN, report), report
    return report if process.returncode else ""


@pytest.fixture(autouse=True)
def nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """For positions that never come."""
    monkeypatch.setattr(exchange, "DEFAULT_WAIT_SECONDS", 0.02)
    monkeypatch.setattr(exchange, "LONGEST_WAIT_SECONDS", 0.02)


async def stage(world: World, folder: Path) -> list[Mapping[str, str]]:
    """Make a topic in each stage to find it at; return all kinds of callers' credentials."""
    (folder / "schemathesis.toml").write_text("\n".join(config()))
    (folder / "hooks.py").write_text(HOOKS)
    for stage in STAGES:
        world.clock.at = NOON
        topic_id = await world.propose()
        if stage is not Stage.CREATED:
            await world.reach(topic_id, stage)
    publisher = {"publisher": "collector", "categories": ["posture", "artifact"]}
    issued = await world.post("/api/admin/publishers", publisher, ADMIN)
    publishing = {"Authorization": f"Bearer {issued.json()['key']}"}
    return [ADMIN, await world.agent("creator"), publishing, NOBODY]


@pytest.mark.timeout(120)
async def test_schemathesis_finds_nothing(address: str, world: World, tmp_path: Path) -> None:
    admin, agent, *_ = await stage(world, tmp_path)
    options = ("--max-examples=2", "--seed=1")
    reports = [await findings(address, caller, tmp_path, options) for caller in (admin, agent)]
    assert reports == ["", ""], "\n".join(reports)


@pytest.mark.hard
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("number", range(4), ids=("admin", "agent", "publisher", "nobody"))
async def test_schemathesis_finds_nothing_for_minutes(
    address: str, world: World, tmp_path: Path, number: int
) -> None:
    caller = (await stage(world, tmp_path))[number]
    # Each by itself: one that goes on until its time is over leaves none to the next.
    for options in (
        ("--phases=examples,coverage,fuzzing", "--max-examples=50"),
        ("--phases=stateful", "--max-time=120"),
    ):
        report = await findings(address, caller, tmp_path, options)
        assert not report, report
