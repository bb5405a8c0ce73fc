"""The machine's clock is set while a ticker runs on it: libfaketime does that to one process."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from moot.cli.local.probe import http_get
from moot.contracts.topic_events import SignupOpened
from moot.runtime.clock import utc_now
from tests.support.debates import Debates, schedule
from tests.support.service_process import ServiceProcess
from tests.support.ticking import firings, ticker_process
from tests.support.waiting import until

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
SOON = timedelta(seconds=3)
AN_HOUR = timedelta(hours=1)

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(
        LIBRARY is None,
        reason="NOT RUN: no clock can be set without libfaketime: apt install libfaketime",
    ),
]


class FakedClock:
    """A process's clock; it goes on from where it is set to."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.set_ahead(timedelta())

    def set_ahead(self, by: timedelta) -> None:
        self._file.write_text(f"{by.total_seconds():+.3f}")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # The clock that nobody sets isn't set here either.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@asynccontextmanager
async def faked_ticker(
    nats_url: str, clock: FakedClock, replica: str = "t1"
) -> AsyncGenerator[ServiceProcess]:
    async with ticker_process(nats_url, replica, environment=clock.environment) as ticker:
        yield ticker


async def says(ticker: ServiceProcess, text: str) -> None:
    async def said() -> bool:
        answer = await http_get(ticker.port, "/readyz")
        return answer is not None and text in json.loads(answer.body)["notes"].get("clock", "")

    await until(said)


async def lateness_of_one(debates: Debates) -> timedelta:
    topic_id = await debates.propose(schedule(utc_now() + SOON, 7200, 60, 60))
    await debates.reaches(topic_id, "signup_opened")
    assert await debates.types(topic_id) == ["topic_created", "signup_opened"]
    opened = (await debates.events(topic_id))[-1]
    assert isinstance(opened.event, SignupOpened)
    assert opened.event.due_at <= opened.event.fired_at <= opened.stored_at
    return opened.stored_at - opened.event.due_at


@pytest.mark.parametrize("step", [timedelta(seconds=1), AN_HOUR, timedelta(days=400)])
async def test_set_ahead_nothing_comes_early_or_late(
    nats_url: str, debates: Debates, tmp_path: Path, step: timedelta
) -> None:
    clock = FakedClock(tmp_path)
    async with faked_ticker(nats_url, clock) as ticker:
        clock.set_ahead(step)
        await says(ticker, "ahead of the Chronicle's")
        assert await lateness_of_one(debates) < timedelta(seconds=1)


@pytest.mark.parametrize("step", [timedelta(seconds=10), AN_HOUR])
async def test_set_back_another_replica_fires_and_when_right_again_it_does(
    nats_url: str, debates: Debates, tmp_path: Path, step: timedelta
) -> None:
    clock = FakedClock(tmp_path)
    async with faked_ticker(nats_url, clock) as ticker:
        async with ticker_process(nats_url, "t2") as right:
            clock.set_ahead(-step)
            await says(ticker, "behind the Chronicle's")
            await says(right, "ahead of that of replica t1")
            for _ in range(3):
                assert await lateness_of_one(debates) < timedelta(seconds=1)
            assert (await firings(right))["fired"] == 3
        clock.set_ahead(timedelta())
        assert await lateness_of_one(debates) < timedelta(seconds=1)
