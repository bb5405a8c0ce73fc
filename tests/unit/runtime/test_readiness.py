"""What isn't ready says why, and what health answers follows from it."""

import asyncio
import json
from http import HTTPStatus

import pytest

from moot.runtime import health, readiness
from moot.runtime.readiness import Readiness


async def ready() -> str | None:
    return None


async def broken() -> str | None:
    raise ConnectionError("nobody there")


async def test_every_reason_is_said() -> None:
    checks = Readiness()
    checks.add("stream", ready)
    assert (await checks.report()).ready
    checks.add("database", broken)
    checks.block("start", "starting")
    report = await checks.report()
    assert not report.ready
    assert report.reason == "database: ConnectionError: nobody there; start: starting"
    checks.clear("start")
    assert (await checks.report()).reason == "database: ConnectionError: nobody there"


async def test_a_check_without_an_answer_isnt_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> str | None:
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.01)
    checks = Readiness()
    checks.add("database", silent)
    assert (await checks.report()).reason == "database: no answer in 0.01 s"


async def test_who_asks_while_a_process_starts_hears_that_it_is_starting() -> None:
    checks = Readiness()
    checks.block("start", "starting")

    async def started_meanwhile() -> str | None:
        checks.add("database", broken)
        checks.clear("start")
        return None

    checks.add("stream", started_meanwhile)
    assert (await checks.report()).reason == "start: starting"
    assert (await checks.report()).reason == "database: ConnectionError: nobody there"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/livez", HTTPStatus.OK),
        ("/readyz", HTTPStatus.SERVICE_UNAVAILABLE),
        ("/health", HTTPStatus.SERVICE_UNAVAILABLE),
        ("/metrics", HTTPStatus.OK),
        ("/secrets", HTTPStatus.NOT_FOUND),
    ],
)
async def test_answers_while_it_isnt_ready(path: str, status: HTTPStatus) -> None:
    checks = Readiness()
    checks.block("nats", "connecting")
    assert (await health.answer(path, checks)).status == status


async def test_readyz_names_each_check_and_what_isnt_known() -> None:
    checks = Readiness()
    checks.add("stream", ready)
    checks.note("sync", "unknown")
    answer = await health.answer("/readyz", checks)
    assert json.loads(answer.body) == {
        "status": "ready",
        "checks": {"stream": "ok"},
        "notes": {"sync": "unknown"},
    }
    checks.block("nats", "gone")
    answer = await health.answer("/health", checks)
    assert json.loads(answer.body) == {"status": "degraded", "reason": "nats: gone"}
