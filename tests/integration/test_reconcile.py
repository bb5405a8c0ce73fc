"""`moot projections reconcile` on real servers: detected, explained, put right, live again."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.subjects import CHRONICLE
from moot.projector.app import build
from moot.projector.projections import PROJECTIONS
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from tests.support.holes import deny_deleting, lose, make_deletable
from tests.support.hosted import hosted
from tests.support.operating import Operator
from tests.support.reconciling import (
    NAME,
    Operated,
    back_up,
    is_ready,
    is_unready,
    operated_on,
    with_store,
)
from tests.support.recording import Recorder, Written, everything
from tests.support.waiting import until

# Each runs a few commands, each a process.
pytestmark = pytest.mark.timeout(180)


def topics() -> Sequence[Written]:
    return [written for written in everything() if written[0].category == "topic"]


@pytest.fixture
async def operated(
    nats_server: NatsServer, connection: NatsConnection, database_url: str
) -> AsyncIterator[Operated]:
    async with operated_on(nats_server, connection, database_url) as operated:
        yield operated


async def test_who_belongs_to_the_chronicle_has_nothing_to_reconcile(operated: Operated) -> None:
    last = await Recorder(operated.chronicle).add(topics()[:6])
    async with hosted(build, operated.settings):
        await until(lambda: operated.is_live_at(last))
        done = await operated.run()
    assert done.code == 0
    assert f"{NAME} at {last}: nothing to reconcile (live)." in done.said


async def test_an_older_chronicle_is_found_and_the_right_one_is_all_that_is_needed(
    operated: Operated, tmp_path: Path
) -> None:
    recorder = Recorder(operated.chronicle)
    kept_at = await recorder.add(topics()[:6])
    await back_up(operated.server, tmp_path / "backup")
    async with hosted(build, operated.settings) as projector:
        last = await recorder.add(topics()[6:11])
        await until(lambda: operated.is_live_at(last))

        await with_store(operated.server, tmp_path / "backup", tmp_path / "right")
        await until(operated.is_stopped)

        found = await operated.found()
        assert found["kind"] == "shorter"
        assert found["problem"] == (
            f"the checkpoint is at {last}, but the Chronicle ends at {kept_at}"
        )
        (lost,) = found["lost"]
        assert (lost["first"], lost["last"]) == (kept_at + 1, last)
        assert lost["since"]
        assert lost["until"]
        assert "have been shown" in found["meaning"]
        assert await is_unready(projector)

        await with_store(operated.server, tmp_path / "right", tmp_path / "wrong")
        await until(lambda: operated.is_live_at(last))
        await until(lambda: is_ready(projector))
        assert (await operated.run()).code == 0
    assert await operated.equals_the_chronicle(last)


async def test_another_chronicle_and_another_event_are_told_apart(
    operated: Operated, tmp_path: Path
) -> None:
    recorder = Recorder(operated.chronicle)
    kept_at = await recorder.add(topics()[:6])
    await back_up(operated.server, tmp_path / "backup")
    async with hosted(build, operated.settings):
        await recorder.add(topics()[6:9])
        await until(lambda: operated.stands("live", kept_at + 3))

    # Restored from a backup, and written to.
    await with_store(operated.server, tmp_path / "backup", tmp_path / "right")
    others = [written for written in everything() if written[0].category == "access"]
    await Recorder(operated.chronicle).add(others * 2)
    found = await operated.found()
    assert found["kind"] == "another-event"
    assert found["lost"] == []

    await ask(operated.connection, f"STREAM.DELETE.{CHRONICLE}")
    await provision(operated.server.url)
    await Recorder(operated.chronicle).add(others * 3)
    found = await operated.found()
    assert found["kind"] == "another-chronicle"
    assert "isn't here" in found["meaning"]
    right, anew = found["choices"]
    assert right["command"] is None
    assert anew["command"] == f"moot projections reconcile {NAME} --rebuild --reason '…'"


async def test_a_hole_is_found_explained_and_accepted(operated: Operated) -> None:
    await make_deletable(operated.connection)
    recorder = Recorder(operated.chronicle)
    last = await recorder.add(topics()[:30])
    await lose(operated.connection, 29)
    await deny_deleting(operated.connection, operated.server.url)
    async with hosted(build, operated.settings) as projector:
        await until(operated.is_stopped)
        found = await operated.found()
        assert found["kind"] == "hole"
        assert found["problem"] == "the Chronicle has nothing between 28 and 30"
        assert (found["lost"][0]["first"], found["lost"][0]["last"]) == (29, 29)
        command = found["choices"][1]["command"]
        assert command == f"moot projections reconcile {NAME} --accept-hole 28-30 --reason '…'"
        assert command in (await operated.run(NAME)).said
        anew = found["choices"][2]["command"]
        holed = await operated.run(NAME, "--rebuild", "--reason", "it is all there is")
        assert holed.code == 1
        assert anew in holed.errors

        await refuses_what_is_not_said_clearly(operated)

        accept = ("--accept-hole", "28-30", "--reason", "an event of a trial")
        done = await operated.run(NAME, *accept, "--rebuild")
        assert done.code == 0, done
        others = [projection.name for projection in PROJECTIONS if projection.name != NAME]
        for name in others:
            await Operator(operated.chronicle, name).accepts(28, 30)
        # Each accepted it, and one was promoted.
        end = last + len(PROJECTIONS) + 1
        await until(lambda: operated.is_live_at(end))
        await until(lambda: is_ready(projector))
    assert await operated.equals_the_chronicle(end)


async def refuses_what_is_not_said_clearly(operated: Operated) -> None:
    wrong = await operated.run(NAME, "--accept-hole", "27-30", "--reason", "why not")
    assert wrong.code == 1
    assert "there are: 28-30" in wrong.errors
    unreasoned = await operated.run(NAME, "--accept-hole", "28-30")
    assert unreasoned.code == 1
    assert "reason-required" in unreasoned.errors
    assert (await operated.run(NAME, "--rebuild")).code == 2
    assert (await operated.run("--accept-hole", "28-30", "--reason", "why")).code == 2
    assert (await operated.run(NAME, "--accept-hole", "28")).code == 2
