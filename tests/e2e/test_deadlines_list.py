"""`moot deadlines list`: what fires next, as the one who runs it sees it."""

import json
import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from moot.cli.demo.cast import MODERATOR
from moot.cli.demo.play import proposal
from tests.support.debate_story import BRISK, small_debate
from tests.support.waiting import until
from tests.support.whole_moot import WholeMoot

# Nothing happens to it by itself, however slowly a command answers.
FAR_OFF = replace(BRISK, signup_takes=timedelta(hours=1))


async def listed(moot: WholeMoot, *options: str) -> str:
    command = (sys.executable, "-m", "moot.cli", "deadlines", "list", *options)
    process = await create_subprocess_exec(
        *command, "--data", str(moot.folder), env={**os.environ, "COLUMNS": "200"}, stdout=PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def items(moot: WholeMoot, topic_id: str) -> list[dict[str, Any]]:
    return json.loads(await listed(moot, "--topic", topic_id, "--json"))["items"]


async def test_it_shows_what_a_topic_waits_for(calm_moot: WholeMoot) -> None:
    async with calm_moot.client() as client:
        wanted = proposal(small_debate("listed"), FAR_OFF, now=datetime.now(UTC))
        topic = await client.as_agent(calm_moot.keys[MODERATOR]).propose_topic(wanted)

        async def is_there() -> bool:
            return bool(await items(calm_moot, topic.id))

        await until(is_there)
        (found,) = await items(calm_moot, topic.id)
        assert found["stream"] == f"topic/{topic.id}"
        assert topic.id in await listed(calm_moot)
        await client.cancel_topic(topic.id, "seen enough")

        async def is_gone() -> bool:
            return not await items(calm_moot, topic.id)

        await until(is_gone)
        assert await listed(calm_moot, "--topic", topic.id) == "There are none.\n"
