"""What may be sent, in any form: an answer that says what is wrong, never a fault."""

import json
from collections.abc import AsyncIterator
from typing import Any

from moot.api.bodies import MAX_BODY_BYTES
from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN, PROPOSAL, World

GOOD = json.dumps(PROPOSAL).encode()


def with_field(name: str, value: bytes) -> bytes:
    """The proposal with one field's JSON text as given."""
    kept = {key: one for key, one in PROPOSAL.items() if key != name}
    return json.dumps(kept).encode()[:-1] + b', "' + name.encode() + b'": ' + value + b"}"


BAD_BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b'"text"',
    b"\xff\xfe",
    b"\x00",
    GOOD[:-1],
    GOOD + b"x",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    with_field("unknown", b"1"),
    with_field("title", b"1"),
    with_field("title", b"null"),
    with_field("title", b'"\\u0000"'),
    with_field("title", b'"\\ud800"'),
    with_field("title", b'"\xed\xa0\x80"'),
    with_field("summary", b"[]"),
    with_field("summary", b'"\\u0000"'),
    with_field("rounds", b"0"),
    with_field("rounds", b"21"),
    with_field("rounds", b"true"),
    with_field("rounds", b'"3"'),
    with_field("rounds", b"1.5"),
    with_field("rounds", b"1e400"),
    with_field("rounds", b"9" * 400),
    with_field("rounds", b"9" * 5000),
    with_field("visibility", b'"secret"'),
    with_field("invited_agents", b'["a b"]'),
    with_field("invited_agents", b'["a\\n"]'),
    with_field("invited_agents", b'[""]'),
    with_field("invited_agents", json.dumps(["a"] * 1001).encode()),
    with_field("verdict_schema_id", b'"\\u0000"'),
    with_field("announce_channel_id", b'"c1"'),
    with_field("announce_guild_base_url", b'"https://guild.example"'),
    with_field("announce_guild_base_url", b'"javascript:alert(1)"'),
    *[
        with_field("debate_end_at", moment)
        for moment in (
            b"1800000000",
            b'"yesterday"',
            b'"2026-11-21"',
            b'"2026-11-21T18:00:00"',
            b'"9999-12-31T23:59:59Z"',
            b'"9999-12-31T23:59:59-05:00"',
            b'"0001-01-01T00:00:00+05:00"',
            b'"2026-13-21T18:00:00Z"',
            b'"99999-01-01T00:00:00Z"',
        )
    ],
]


async def test_a_bad_proposal_is_refused(world: World) -> None:
    sent = {"Content-Type": "application/json"}
    for body in BAD_BODIES:
        answer = await world.ask("POST", "/api/topics", ADMIN, content=body, headers=sent)
        assert answer.status_code == 422, body[-100:]
        assert answer.json()["code"] == "invalid-request"
        assert answer.json()["errors"]


BAD_VERDICTS = [
    b'{"x": NaN}',
    b'{"x": -Infinity}',
    b'{"x": 1e400}',
    b'{"x": "\\u0000"}',
    b'{"\\u0000": 1}',
    b'{"x": [{"y": "\\u0000"}]}',
    b'{"x":' * 70 + b"1" + b"}" * 70,
    b"[" * 150 + b"]" * 150,
    b"[]",
    b"null",
]


async def test_a_verdict_that_could_not_be_stored_is_refused(world: World) -> None:
    path = f"/api/topics/{await world.propose()}/verdict"
    for verdict in BAD_VERDICTS:
        body = b'{"rationale": "Because.", "verdict": ' + verdict + b"}"
        answer = await world.ask("POST", path, ADMIN, content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), verdict


async def test_odd_verdicts_are_stored_as_they_are(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.JUDGING)
    judge = await world.in_camp(topic_id, "judge")
    deep: dict[str, Any] = {}
    for _ in range(62):
        deep = {"d": deep}
    verdict = {"huge": 10**400, "tiny": 5e-324, "text": "\\u0000 \u2028 \U0001f600", "deep": deep}
    body = {"verdict": verdict, "rationale": "Because."}
    sent = await world.post(f"/api/topics/{topic_id}/verdict", body, judge)
    assert sent.status_code == 201, sent.text
    shown = await world.get(f"/api/topics/{topic_id}/verdict")
    assert shown.json() == sent.json()
    assert shown.json()["verdict"] == verdict


async def test_errors_name_their_places(world: World) -> None:
    answer = await world.post("/api/topics", {"title": 1, "invited_agents": ["a", "b c"]}, ADMIN)
    pointers = [one["pointer"] for one in answer.json()["errors"]]
    assert {"/title", "/signup_open_at", "/invited_agents/1"} <= set(pointers)


async def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    for content in (b" " * (MAX_BODY_BYTES + 1), chunks()):
        answer = await world.http.post("/api/topics", headers=ADMIN, content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert answer.headers["connection"] == "close"
    path = f"/api/topics/{'0' * 32}/verdict"
    nowhere = await world.http.post(path, headers=ADMIN, content=b" " * (MAX_BODY_BYTES + 1))
    assert nowhere.status_code == 404


MEDIA_TYPES = {
    "text/plain": 415,
    "application/x-www-form-urlencoded": 415,
    "application/json; charset=utf-8": 201,
    "application/vnd.moot+json": 201,
    "APPLICATION/JSON": 201,
}


async def test_bodies_are_json(world: World) -> None:
    for media_type, status in MEDIA_TYPES.items():
        sent = {"Content-Type": media_type}
        answer = await world.ask("POST", "/api/topics", ADMIN, content=GOOD, headers=sent)
        assert answer.status_code == status, media_type


QUERIES = {
    "limit=0": 422,
    "limit=201": 422,
    "limit=1e1": 422,
    f"limit={'9' * 500}": 422,
    "limit=%00": 422,
    "status=open": 422,
    "status=%00": 422,
    "mine=perhaps": 422,
    "mine=true": 401,
    "nonsense=1": 422,
    "cursor=": 400,
    "cursor=abc": 400,
    "cursor=%00": 400,
    "cursor=%C3%BC": 400,
    f"cursor={'A' * 32}": 400,
    "limit=200": 200,
    "status=created&visibility=public": 200,
}


async def test_queries(world: World) -> None:
    for query, status in QUERIES.items():
        answer = await world.get(f"/api/topics?{query}")
        assert answer.status_code == status, query


async def test_a_position_must_be_readable(world: World) -> None:
    for value in ("x", "-1", "", "9" * 30):
        sent = {"Chronicle-Min-Position": value}
        answer = await world.ask("GET", "/api/topics", headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-header"), value


async def test_an_idempotency_key_must_be_readable(world: World) -> None:
    for key in ("", "two words", "x" * 256):
        answer = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key=key)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-header")


async def test_head_answers_without_a_body(world: World) -> None:
    path = f"/api/topics/{await world.propose()}"
    full = await world.get(path)
    head = await world.ask("HEAD", path)
    assert head.status_code == 200
    assert head.headers["etag"] == full.headers["etag"]
