"""`moot dead-letters` and `moot projections`, on real servers and a real projector."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moot.contracts.subjects import StreamName
from moot.projector.app import build
from moot.projector.settings import ProjectorSettings
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.support.hosted import Hosted, hosted
from tests.support.local_moot import Done, moot
from tests.support.operating import of_newer_type
from tests.support.recording import Recorder, argued, topic_id
from tests.support.waiting import until

BAD = StreamName("topic", topic_id("bad"))
GOOD = StreamName("topic", topic_id("good"))


@dataclass(frozen=True)
class Set:
    """A Moot whose topic `BAD` is parked behind the event at `bad`."""

    given: dict[str, str]
    projector: Hosted
    recorder: Recorder
    bad: int
    last: int

    async def run(self, *arguments: str) -> Done:
        return await asyncio.to_thread(moot, *arguments, given=self.given)

    async def json(self, *arguments: str) -> Any:  # noqa: ANN401 whatever it prints
        done = await self.run(*arguments, "--json")
        return json.loads(done.said)

    async def status(self) -> dict[str, dict[str, Any]]:
        return {of["projection"]: of for of in await self.json("status")}

    async def is_at(self, position: int) -> bool:
        return all(of["position"] >= position for of in (await self.status()).values())


@pytest.fixture
async def parked(
    nats_url: str, database_url: str, connection: NatsConnection
) -> AsyncIterator[Set]:
    given = {"NATS_URL": nats_url, "DATABASE_URL": database_url, "USER": "eve"}
    recorder = Recorder(JetStreamChronicle(connection))
    history = argued().history
    await recorder.add([(BAD, history[0])])
    bad = await recorder.add_bytes(BAD, *of_newer_type(BAD, history[1], 99))
    last = await recorder.add([(BAD, history[1]), (BAD, history[2]), (GOOD, history[0])])
    settings = ProjectorSettings(nats_url=nats_url, database_url=database_url, replica="one")
    async with hosted(build, settings) as projector:
        made = Set(given, projector, recorder, bad, last)
        await until(lambda: made.is_at(last))
        yield made


async def test_an_operator_sees_retries_and_skips_a_dead_letter(parked: Set) -> None:
    at = ("debates_v1", str(parked.bad))
    listed = await parked.json("dead-letters", "list", "--projection", "debates_v1")
    assert [(one["position"], one["key"], one["waiting"]) for one in listed] == [
        (parked.bad, BAD.label, 2)
    ]
    shown = await parked.json("dead-letters", "show", *at)
    assert json.loads(shown["event"])["subject"] == BAD.label
    assert (await parked.status())["debates_v1"]["dead_letters"] == 3

    retried = await parked.run("dead-letters", "retry", *at)
    assert retried.code == 1
    assert f"{parked.bad} is still set aside, with 2 behind it" in retried.errors

    assert (await parked.run("dead-letters", "skip", *at)).code == 2
    blank = await parked.run("dead-letters", "skip", *at, "--reason", " ")
    assert blank.code == 1
    assert "reason-required" in blank.errors
    waits = await parked.run("dead-letters", "retry", "debates_v1", str(parked.bad + 1))
    assert f"waits behind {parked.bad}" in waits.errors

    skipped = await parked.run("dead-letters", "skip", *at, "--reason", "a mistake")
    assert (skipped.code, skipped.said) == (0, f"{BAD.label} is up to date in debates_v1.\n")
    assert await parked.json("dead-letters", "list", "--projection", "debates_v1") == []
    assert (await parked.status())["debates_v1"]["dead_letters"] == 0
    gone = await parked.run("dead-letters", "skip", *at, "--reason", "again")
    assert (gone.code, "has no dead letter" in gone.errors) == (1, True)


async def test_an_operator_pauses_and_resumes_a_projection(parked: Set) -> None:
    paused = await parked.run("projections", "pause", "debates_v1", "--reason", "looking")
    assert paused.code == 0, paused.errors
    again = await parked.run("projections", "pause", "debates_v1")
    assert again.said == "debates_v1 was paused already.\n"
    last = await parked.recorder.add([(GOOD, argued().history[1])])
    found = (await parked.status())["debates_v1"]
    assert (found["state"], found["owner"]) == ("paused", "one")
    assert found["behind"] >= 1
    assert found["head"] == last
    assert found["seconds_behind"] > 0
    busy = await parked.run("dead-letters", "retry", "debates_v1", str(parked.bad))
    assert (busy.code, "resume it first" in busy.errors) == (1, True)
    assert await parked.projector.is_ready(), "as an operator wants it"
    resumed = await parked.run("projections", "resume", "debates_v1")
    assert resumed.code == 0, resumed.errors
    listed = await parked.json("projections", "list")
    assert {of["state"] for of in listed} == {"live"}
    assert {of["behind"] for of in listed if of["projection"] == "debates_v1"} == {0}


async def test_what_is_not_there_is_said(parked: Set, tmp_path: Path) -> None:
    unknown = await parked.run("projections", "pause", "dreamt_v1")
    assert (unknown.code, "there are: agent_keys_v1, " in unknown.errors) == (1, True)
    nowhere = await asyncio.to_thread(
        moot, "dead-letters", "list", "--data", str(tmp_path), given={}
    )
    assert nowhere.code == 2


async def test_an_operator_rebuilds_and_rolls_back(parked: Set) -> None:
    rebuilt = await parked.run("projections", "rebuild", "debates_v1", "--reason", "to see")
    assert (rebuilt.code, rebuilt.said) == (0, "Generation 2 of debates_v1 serves.\n"), rebuilt
    back = await parked.run("projections", "rollback", "debates_v1")
    assert (back.code, back.said) == (0, "Generation 1 of debates_v1 serves again.\n"), back
    listed = await parked.json("projections", "generations", "debates_v1")
    assert [(one["generation"], one["role"]) for one in listed] == [(1, "serving"), (2, "retired")]
    mended = await parked.run("projections", "rebuild", "debates_v1", "--topic", GOOD.id)
    assert (mended.code, GOOD.label in mended.said) == (0, True), mended
    nothing = await parked.run("projections", "promote", "debates_v1")
    assert (nothing.code, "rebuild it first" in nothing.errors) == (1, True), nothing
