from datetime import timedelta
from typing import Any

import httpx2
import pytest

from moot.client import MootUnreachableError, ProblemError, WebhookChange
from moot.client.sending import LONGEST_PAUSE, pause_before
from tests.support.scripted import Answer, Script, answer, problem

POSTED: dict[str, Any] = {
    "id": "a" * 32,
    "camp": "pro",
    "agent_id": "ann",
    "round_no": 0,
    "content": "Because.",
    "posted_at": "2026-11-21T12:00:00Z",
    "position": 7,
}
ME = {"kind": "agent", "id": "ann", "auth_id": "agent:ann"}
SOON = {"Retry-After": "0"}


def sent(script: Script, header: str) -> list[str | None]:
    return [request.headers.get(header) for request in script.asked]


@pytest.mark.parametrize(
    "first",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("silence"),
        httpx2.RemoteProtocolError("hung up"),
        httpx2.Response(502, text="bad gateway"),
        httpx2.Response(503, text="a proxy's own"),
        problem(503, "chronicle-unavailable", headers=SOON),
        problem(429, "too-many-requests", headers=SOON),
        problem(409, "still-running", headers=SOON),
    ],
)
async def test_a_write_is_repeated_with_its_key(first: Answer) -> None:
    script = Script([first, answer(POSTED, status=201)])
    async with script.client() as moot:
        assert (await moot.post_argument("b" * 32, "Because.")).position == 7
    keys = sent(script, "Idempotency-Key")
    assert len(keys) == 2
    assert keys[0] == keys[1] is not None
    assert script.asked[0].content == script.asked[1].content


async def test_each_wish_has_a_key_of_its_own_or_its_callers() -> None:
    script = Script([answer(POSTED, status=201)])
    async with script.client() as moot:
        await moot.post_argument("b" * 32, "Because.")
        await moot.post_argument("b" * 32, "Because.")
        await moot.post_argument("b" * 32, "Because.", idempotency_key="mine")
    one, other, mine = sent(script, "Idempotency-Key")
    assert one != other
    assert mine == "mine"


@pytest.mark.parametrize(
    "final",
    [
        problem(409, "debate-not-open"),
        problem(422, "invalid-request"),
        problem(403, "not-in-camp"),
        problem(500, "internal-error"),
        problem(503, "projection-parked"),
    ],
)
async def test_what_asking_again_does_not_mend_is_said_at_once(final: httpx2.Response) -> None:
    script = Script([final])
    async with script.client() as moot:
        with pytest.raises(ProblemError) as caught:
            await moot.post_argument("b" * 32, "Because.")
    assert len(script.asked) == 1
    assert caught.value.status == final.status_code
    assert caught.value.detail == f"it is {caught.value.code}"


async def test_a_problem_says_where_it_is() -> None:
    errors = [{"pointer": "/content", "detail": "Field required"}]
    async with Script([problem(422, "invalid-request", errors=errors)]).client() as moot:
        with pytest.raises(ProblemError, match="422 invalid-request: it is") as caught:
            await moot.post_argument("b" * 32, "")
    assert [(one.pointer, one.detail) for one in caught.value.errors] == [
        ("/content", "Field required")
    ]


async def test_patience_ends() -> None:
    silent = Script([httpx2.ConnectError("refused")])
    async with silent.client(patience=timedelta(seconds=0.5)) as moot:
        with pytest.raises(MootUnreachableError, match="refused"):
            await moot.get_me()
    assert 2 <= len(silent.asked) <= 8
    busy = Script([problem(503, "stopping", headers=SOON)])
    async with busy.client(patience=timedelta(0)) as moot:
        with pytest.raises(ProblemError, match="stopping"):
            await moot.get_me()
    assert len(busy.asked) == 1


async def test_nobody_waits_longer_than_they_would_and_asks_no_sooner_than_told() -> None:
    script = Script([problem(429, "too-many-requests", headers={"Retry-After": "60"})])
    async with script.client(patience=timedelta(seconds=30)) as moot:
        with pytest.raises(ProblemError) as caught:
            await moot.get_me()
    assert len(script.asked) == 1
    assert caught.value.retry_after == 60


async def test_who_does_not_answer_as_moot_does_is_not_moot() -> None:
    async with Script([httpx2.Response(404, text="<h1>nginx</h1>")]).client() as moot:
        with pytest.raises(MootUnreachableError, match=r"404 from .*: <h1>nginx"):
            await moot.get_me()


def test_pauses_grow_to_a_bound_and_differ() -> None:
    for attempt in range(2000):
        assert 0.05 <= pause_before(attempt) <= LONGEST_PAUSE
        assert 5 <= pause_before(attempt, 5.0) <= 5 + LONGEST_PAUSE
    assert pause_before(10) >= LONGEST_PAUSE / 2
    assert len({pause_before(3) for _ in range(50)}) > 40


async def test_what_was_written_is_read() -> None:
    script = Script([answer(POSTED, status=201, position=7), answer(ME, position=5), answer(ME)])
    async with script.client(key="moot_a_b") as moot:
        await moot.post_argument("b" * 32, "Because.")
        await moot.get_me()
        await moot.as_anyone().get_me()
        assert moot.position == 7
    assert sent(script, "Chronicle-Min-Position") == [None, "7", "7"]
    assert sent(script, "Authorization") == ["Bearer moot_a_b", "Bearer moot_a_b", None]


async def test_reads_wait_for_nothing_when_not_asked_to() -> None:
    script = Script([answer(POSTED, status=201, position=7), answer(ME)])
    async with script.client(read_your_writes=False) as moot:
        await moot.post_argument("b" * 32, "Because.")
        await moot.get_me()
    assert sent(script, "Chronicle-Min-Position") == [None, None]


async def test_a_write_is_for_what_was_read_where_it_is_told_to_be() -> None:
    webhook = {
        "id": "c" * 32,
        "url": "https://receiver.example/moot",
        "event_types": [],
        "topic_id": None,
        "include_private": False,
        "signing": ["v1"],
        "enabled": True,
        "disabled_reason": None,
        "secret_version": 1,
        "old_secrets": [],
        "public_key": None,
        "registered_at": "2026-11-21T12:00:00Z",
    }
    pages = answer({"items": [webhook], "next": None})
    tagged = answer(webhook, etag='"7"')
    script = Script([tagged, tagged, answer(webhook, etag='"8"'), httpx2.Response(204), pages])
    async with script.client() as moot:
        read = await moot.get_webhook("c" * 32)
        await moot.change_webhook(read.id, WebhookChange(enabled=True))
        changed = await moot.change_webhook(
            read.id, WebhookChange(enabled=True), if_match=read.etag
        )
        await moot.remove_webhook(read.id, if_match=changed.etag)
        (listed,) = await moot.list_webhooks().all()
    assert sent(script, "If-Match") == [None, None, '"7"', '"8"', None]
    assert read == changed == listed
    with pytest.raises(LookupError, match="read or written by itself"):
        _ = listed.etag


async def test_a_list_goes_on_over_its_pages() -> None:
    pages = [
        answer({"items": [POSTED, POSTED], "next": "x="}),
        answer({"items": [], "next": "y"}),
        answer({"items": [POSTED], "next": None}),
    ]
    script = Script(pages)
    async with script.client() as moot:
        posted = [one async for one in moot.list_arguments("b" * 32, page_size=2)]
    assert len(posted) == 3
    assert [dict(request.url.params) for request in script.asked] == [
        {"limit": "2"},
        {"limit": "2", "cursor": "x="},
        {"limit": "2", "cursor": "y"},
    ]


async def test_what_is_not_there_yet_is_none_and_a_missing_topic_is_not() -> None:
    async with Script([problem(404, "verdict-not-found")]).client() as moot:
        assert await moot.get_verdict("b" * 32) is None
    async with Script([problem(404, "topic-not-found")]).client() as moot:
        with pytest.raises(ProblemError, match="topic-not-found"):
            await moot.get_verdict("b" * 32)


async def test_an_id_can_not_lead_to_another_path() -> None:
    script = Script([problem(404, "topic-not-found")])
    async with script.client() as moot:
        with pytest.raises(ProblemError):
            await moot.get_topic("../me?x=#")
    assert script.asked[0].url.raw_path == b"/api/topics/..%2Fme%3Fx%3D%23"
