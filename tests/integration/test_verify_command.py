"""`moot projections verify`, on real servers and a real projector."""

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from moot.projector.app import build
from moot.projector.plain.projections import PLAIN
from moot.projector.settings import ProjectorSettings
from moot.runtime.database import OPS
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.support.hosted import hosted
from tests.support.local_moot import Done, moot
from tests.support.recording import everything, record, topic_id
from tests.support.waiting import until

FORGED = f"topics (topic_id {topic_id('argued')}) differs in title"


@pytest.fixture
async def given(
    nats_url: str, database_url: str, connection: NatsConnection
) -> AsyncIterator[dict[str, str]]:
    """The surroundings of a Moot whose projector has applied everything."""
    last = await record(JetStreamChronicle(connection), everything())
    settings = ProjectorSettings.model_validate(
        {
            "nats_url": nats_url,
            "database_url": database_url,
            "projection_verify_interval": "100ms",
        }
    )
    async with hosted(build, settings):
        await until(lambda: at(database_url, last))
        yield {"NATS_URL": nats_url, "DATABASE_URL": database_url}


async def at(database_url: str, position: int) -> bool:
    statement = "SELECT min(position) = $1 AND count(*) = $2 FROM projector_checkpoint"
    return await fetchval(database_url, statement, position, len(PLAIN))


async def fetchval(database_url: str, statement: str, *values: object) -> bool:
    connection = await asyncpg.connect(database_url, server_settings={"search_path": OPS})
    try:
        return bool(await connection.fetchval(statement, *values))
    finally:
        await connection.close()


async def run(given: dict[str, str], *arguments: str) -> Done:
    return await asyncio.to_thread(moot, "projections", "verify", *arguments, given=given)


async def test_an_operator_verifies_everything(given: dict[str, str]) -> None:
    whole = await run(given, "--whole")
    assert whole.code == 0, whole.errors
    lines = whole.said.splitlines()
    assert len(lines) == len(PLAIN)
    assert all(line.endswith("rows, all as the Chronicle says") for line in lines)
    sample = await run(given, "agent_keys_v1", "--sample", "20")
    # Publishers' keys are streams of the same category, but no rows of this projection.
    assert ": 2 rows of " in sample.said
    assert sample.said.endswith(" streams, all as the Chronicle says\n")


async def test_an_operator_is_told_which_rows_differ(given: dict[str, str]) -> None:
    url = given["DATABASE_URL"]
    forge = "UPDATE topics SET title = 'forged' WHERE topic_id = $1"
    await fetchval(url, forge, topic_id("argued"))
    told = await run(given, "debates_v1", "--whole")
    assert told.code == 1
    first, *rest = told.said.splitlines()
    assert first.endswith("rows, 1 differences")
    assert rest == [f"  {FORGED}", "    title: should be Ban plastic bottles, is forged"]
    shown = await run(given, "--json")
    assert shown.code == 1
    found = {each["projection"]: each for each in json.loads(shown.said)}
    assert set(found) == set(PLAIN)
    assert [each["told"] for each in found["debates_v1"]["differences"]] == [FORGED]
    assert found["debates_v1"]["differences"][0]["found"]["title"] == "forged"
    assert [name for name in PLAIN if not found[name]["equal"]] == ["debates_v1"]


async def test_status_tells_what_was_verified(given: dict[str, str]) -> None:
    url = given["DATABASE_URL"]
    everyone = "SELECT count(*) = $1 FROM projection_verification"
    await until(lambda: fetchval(url, everyone, len(PLAIN)))
    await fetchval(url, "UPDATE verdicts SET rationale = 'forged'")
    noticed = (
        "SELECT jsonb_array_length(differences) = (SELECT count(*) FROM verdicts)"
        " FROM projection_verification WHERE projection = 'debates_v1'"
    )
    await until(lambda: fetchval(url, noticed))
    done = await asyncio.to_thread(moot, "status", "--json", given=given)
    found = {each["projection"]: each for each in json.loads(done.said)}
    assert found["debates_v1"]["differences"] == 2
    assert found["agent_keys_v1"]["differences"] == 0
    assert all(each["verified_at"] for each in found.values())
    shown = await asyncio.to_thread(moot, "status", given=given)
    assert "2 rows differ" in shown.said
