"""NATS comes back with an older Chronicle while the ticker runs, which remembers another."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from moot.cli.local.nats_server import NatsServer
from moot.contracts.topic_events import SignupOpened
from moot.runtime.clock import utc_now
from moot.ticker.app import build as build_ticker
from moot.ticker.settings import TickerSettings
from tests.support.debates import Debates, schedule
from tests.support.hosted import Hosted, hosted
from tests.support.ticking import NOWHERE
from tests.support.waiting import until

IN_AN_HOUR = timedelta(hours=1)
SOON = timedelta(seconds=1)


@asynccontextmanager
async def ticker(nats_url: str) -> AsyncGenerator[Hosted]:
    settings = TickerSettings(nats_url=nats_url, database_url=NOWHERE, replica="t1")
    async with hosted(build_ticker, settings) as running:
        await until(running.is_ready)
        yield running


async def back_up(server: NatsServer, to: Path) -> None:
    await server.stop()
    shutil.copytree(server.folder, to)
    await server.start()


async def restore(server: NatsServer, backup: Path) -> None:
    await server.kill()
    shutil.rmtree(server.folder)
    shutil.copytree(backup, server.folder)
    await server.start()


async def test_what_it_knew_is_dropped_also_when_there_is_as_much_again(
    nats_url: str, nats_server: NatsServer, debates: Debates, tmp_path: Path
) -> None:
    await debates.propose(schedule(utc_now() + IN_AN_HOUR, 60, 60, 60))
    await back_up(nats_server, tmp_path / "short")
    kept = await debates.propose(schedule(utc_now() + 5 * SOON, 7200, 60, 60))
    await back_up(nats_server, tmp_path / "long")
    await restore(nats_server, tmp_path / "short")
    lost = await debates.propose(schedule(utc_now() + IN_AN_HOUR, 60, 60, 60))
    async with ticker(nats_url) as running:
        # Where it has read one event there is another now.
        await restore(nats_server, tmp_path / "long")
        await debates.reaches(kept, "signup_opened")
        opened = (await debates.events(kept))[-1]
        assert isinstance(opened.event, SignupOpened)
        assert opened.stored_at - opened.event.due_at < SOON
        assert await debates.types(lost) == []
        assert await running.is_ready()


async def test_a_shorter_chronicle_is_noticed_before_anything_is_added_to_it(
    nats_url: str, nats_server: NatsServer, debates: Debates, tmp_path: Path
) -> None:
    await debates.propose(schedule(utc_now() + IN_AN_HOUR, 60, 60, 60))
    await back_up(nats_server, tmp_path / "backup")
    async with ticker(nats_url) as running:
        for _ in range(3):
            await debates.propose(schedule(utc_now() + IN_AN_HOUR, 60, 60, 60))
        await restore(nats_server, tmp_path / "backup")
        await until(running.is_ready)
        topic_id = await debates.propose(schedule(utc_now() + SOON, 7200, 60, 60))
        await debates.reaches(topic_id, "signup_opened")
        assert await debates.types(topic_id) == ["topic_created", "signup_opened"]
