"""A whole Moot, each part of which is a user of its own in NATS and in PostgreSQL."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from moot.cli.demo.evidence import Evidence
from moot.cli.demo.play import issue_keys
from moot.cli.demo.processes import GuildProcess
from moot.cli.local.postgres_server import PostgresServer
from moot.client import MootClient
from moot.contracts.debates import Stage
from tests.support.debate_story import BRISK, failures, play, small_debate
from tests.support.privileged import (
    Privileged,
    moot_done,
    nats_of,
    prepare,
    privileged_moot,
    privileged_servers,
)
from tests.support.servers import PASSWORD

READING = (
    ("status",),
    ("dead-letters", "list"),
    ("deliveries", "list"),
    ("projections", "list"),
    ("projections", "verify", "--whole"),
    ("projections", "generations", "debates_v1"),
)
SAYING = (
    ("projections", "pause", "deadlines_v1"),
    ("projections", "resume", "deadlines_v1"),
)
BUILDING = (
    ("projections", "rebuild", "debates_v1"),
    ("projections", "rollback", "debates_v1"),
    ("projections", "rebuild", "deadlines_v1", "--no-promote"),
    ("projections", "promote", "deadlines_v1"),
)


@pytest.mark.timeout(300)
async def test_everybody_may_do_what_a_debate_and_its_operators_need(tmp_path: Path) -> None:
    logged: list[str] = []
    postgres = PostgresServer(
        tmp_path / "postgres", password=PASSWORD, durable=False, sink=logged.append
    )
    await postgres.start()
    guild = await GuildProcess.start()
    try:
        async with privileged_servers(tmp_path, postgres) as servers:
            await prepare(servers)
            async with privileged_moot(servers, guild, tmp_path) as api:
                topic_id = await _debated(servers, guild, api)
                for command in SAYING:
                    given = {**_auditor(servers), **nats_of(servers, "operator")}
                    await asyncio.to_thread(moot_done, *command, given=given)
                for command in BUILDING:
                    await asyncio.to_thread(moot_done, *command, given=_operator(servers))
                for command in READING:
                    await asyncio.to_thread(moot_done, *command, given=_auditor(servers))
                async with MootClient.connect(api) as anybody:
                    assert (await anybody.get_topic(topic_id)).status is Stage.COMPLETED
            assert servers.violations == []
            assert [line for line in logged if "permission denied" in line] == []
    finally:
        await guild.stop()
        await postgres.stop()


async def _debated(servers: Privileged, guild: GuildProcess, api: str) -> str:
    """Play a debate that has to hold; return its topic's id."""
    example = small_debate("everybody may do their part")
    admin_key = servers.file("api", "admin-key").read_text().strip()
    async with MootClient.connect(api, admin_key=admin_key) as client:
        keys = await issue_keys(client)
        played = await play(client, keys, example, pace=BRISK).from_start_to_end()
        nats = servers.url("auditor", "nats")
        evidence = await Evidence.gather(example, played, client, guild, nats)
    assert failures(evidence.checks_after_faults()) == []
    return played.topic_id


def _operator(servers: Privileged) -> Mapping[str, str]:
    """Who changes which tables serve."""
    address = servers.file("operator", "postgres-migrator")
    return {**nats_of(servers, "operator"), "DATABASE_URL_FILE": str(address)}


def _auditor(servers: Privileged) -> Mapping[str, str]:
    address = servers.file("auditor", "postgres-auditor")
    return {**nats_of(servers, "auditor"), "DATABASE_URL_FILE": str(address)}
