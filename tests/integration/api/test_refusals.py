"""Every refusal that can be reached over HTTP, with its status and its code."""

from datetime import timedelta
from typing import Any

import httpx2

from moot.api.problems import PROBLEMS
from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN, NOBODY, PROPOSAL, World
from tests.support.topics import SCHEDULE

VERDICT = {"verdict": {"winner": "pro", "confidence": 1}, "rationale": "Because."}
EARLIER = (SCHEDULE.signup_open_at - timedelta(days=1)).isoformat()


def refused(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status == PROBLEMS[code].status
    assert answer.json()["type"] == f"/problems/{code}"


BAD_PROPOSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"title": "  "}, 422, "title-required"),
    ({"title": "x" * 201}, 413, "title-too-long"),
    ({"summary": "ü" * 4097}, 413, "summary-too-long"),
    ({"signup_close_at": PROPOSAL["signup_open_at"]}, 422, "times-out-of-order"),
    ({"debate_start_at": PROPOSAL["signup_open_at"]}, 422, "times-out-of-order"),
    ({"debate_end_at": PROPOSAL["debate_start_at"]}, 422, "times-out-of-order"),
    ({"verdict_due_at": PROPOSAL["debate_end_at"]}, 422, "times-out-of-order"),
    ({"verdict_schema_id": "coin-toss"}, 422, "unknown-verdict-schema"),
]


async def test_a_proposal_is_refused(world: World) -> None:
    creator = await world.agent("creator")
    for changes, status, code in BAD_PROPOSALS:
        refused(await world.post("/api/topics", PROPOSAL | changes, creator), status, code)


async def test_before_sign_up(world: World) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}"
    ann, creator = await world.agent("ann"), await world.agent("creator")
    signing_up = {"willing_camps": ["pro"]}
    refused(await world.post(f"{path}/signups", signing_up, ann), 409, "signup-not-open")
    refused(await world.post(f"{path}/signups", signing_up, ADMIN), 403, "not-an-agent")
    refused(await world.ask("DELETE", f"{path}/signups/me", ann), 409, "signup-not-open")
    refused(await world.ask("DELETE", f"{path}/signups/me", ADMIN), 403, "not-an-agent")
    refused(await world.ask("PATCH", path, ann, json={"title": "Mine"}), 403, "not-creator")
    refused(await world.ask("PATCH", path, ADMIN, json={"title": "Mine"}), 403, "not-creator")
    moved = {"signup_open_at": EARLIER}
    refused(await world.ask("PATCH", path, creator, json=moved), 422, "times-out-of-order")
    private = {"visibility": "private"}
    refused(await world.ask("PUT", f"{path}/visibility", creator, json=private), 403, "not-admin")
    refused(await world.post(f"{path}/cancel", {"reason": "why"}, ann), 403, "not-creator")
    refused(await world.post(f"{path}/cancel", {"reason": " "}, creator), 422, "reason-required")
    long = {"reason": "x" * 8193}
    refused(await world.post(f"{path}/cancel", long, creator), 413, "reason-too-long")
    judge = {"agent_id": "ann"}
    refused(await world.post(f"{path}/judge", judge, ann), 403, "not-admin")
    refused(await world.post(f"{path}/judge", judge, ADMIN), 409, "not-judging")
    refused(await world.post(f"{path}/arguments", {"content": "x"}, ann), 403, "not-in-camp")
    refused(await world.post(f"{path}/verdict", VERDICT, ann), 403, "not-judge")
    refused(await world.get(f"{path}/verdict"), 404, "verdict-not-found")
    refused(await world.get(f"{path}/allocation"), 404, "allocation-not-found")


async def test_once_sign_up_has_closed(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.SIGNUP_OPEN)
    path = f"/api/topics/{topic_id}"
    creator, outsider = await world.agent("creator"), await world.agent("outsider")
    refused(await world.ask("DELETE", f"{path}/signups/me", outsider), 409, "not-signed-up")
    passed = {"signup_open_at": EARLIER}
    refused(await world.ask("PATCH", path, creator, json=passed), 409, "too-late-to-amend")
    # The time has come, and no ticker has said so yet.
    world.clock.at = SCHEDULE.signup_close_at
    answer = await world.post(f"{path}/signups", {"willing_camps": ["pro"]}, outsider)
    refused(answer, 409, "signup-not-open")
    await world.close(topic_id)
    refused(await world.ask("PATCH", path, creator, json={"title": "X"}), 409, "too-late-to-amend")
    late = await world.post(f"{path}/cancel", {"reason": "no"}, creator)
    refused(late, 409, "too-late-to-cancel")


async def test_while_debating(world: World) -> None:
    topic_id = await world.propose(verdict_schema_id="binary")
    await world.reach(topic_id, Stage.SIGNUP_CLOSED)
    path = f"/api/topics/{topic_id}/arguments"
    pro, judge = await world.in_camp(topic_id, "pro"), await world.in_camp(topic_id, "judge")
    refused(await world.post(path, {"content": "x"}, pro), 409, "debate-not-open")
    await world.start(topic_id)
    refused(await world.post(path, {"content": " \n"}, pro), 422, "content-empty")
    refused(await world.post(path, {"content": "ü" * 16_385}, pro), 413, "content-too-long")
    refused(await world.post(path, {"content": "x"}, await world.agent("x")), 403, "not-in-camp")
    refused(await world.post(path, {"content": "x"}, ADMIN), 403, "not-in-camp")
    early = await world.post(f"/api/topics/{topic_id}/verdict", VERDICT, judge)
    refused(early, 409, "too-early")
    longest = await world.post(path, {"content": "ü" * 16_384}, pro)
    assert longest.status_code == 201
    world.clock.at = SCHEDULE.debate_end_at
    refused(await world.post(path, {"content": "x"}, pro), 409, "debate-not-open")
    between = await world.post(f"/api/topics/{topic_id}/verdict", VERDICT, judge)
    refused(between, 409, "debate-not-open")


async def test_while_judging_and_after(world: World) -> None:
    topic_id = await world.propose(verdict_schema_id="binary")
    await world.reach(topic_id, Stage.JUDGING)
    path = f"/api/topics/{topic_id}"
    pro, judge = await world.in_camp(topic_id, "pro"), await world.in_camp(topic_id, "judge")
    refused(await world.post(f"{path}/verdict", VERDICT, pro), 403, "not-judge")
    for changes, status, code in (
        ({"rationale": " "}, 422, "rationale-required"),
        ({"rationale": "x" * 32_769}, 413, "rationale-too-long"),
        ({"verdict": {"winner": "x" * 270_000}}, 413, "verdict-too-long"),
        ({"verdict": {"winner": "judge"}}, 422, "verdict-does-not-match-schema"),
    ):
        refused(await world.post(f"{path}/verdict", VERDICT | changes, judge), status, code)
    wrong = await world.post(f"{path}/verdict", VERDICT | {"verdict": {"winner": 1}}, judge)
    assert {one["pointer"] for one in wrong.json()["errors"]} == {"", "/winner"}

    outsider = {"agent_id": "outsider"}
    refused(await world.post(f"{path}/judge", outsider, ADMIN), 409, "not-signed-up")
    seated = {"agent_id": await world.seated(topic_id, "pro")}
    refused(await world.post(f"{path}/judge", seated, ADMIN), 409, "already-in-camp")
    assert (await world.post(f"{path}/verdict", VERDICT, judge)).status_code == 201
    refused(await world.post(f"{path}/verdict", VERDICT, judge), 409, "verdict-exists")
    refused(await world.post(f"{path}/verdict", VERDICT, pro), 409, "verdict-exists")
    late = await world.post(f"{path}/cancel", {"reason": "late"}, ADMIN)
    refused(late, 409, "too-late-to-cancel")


async def test_what_is_nowhere(world: World) -> None:
    refused(await world.get("/api/nothing"), 404, "not-found")
    refused(await world.get("/api/topics/"), 404, "not-found")
    refused(await world.get("/problems/unheard-of"), 404, "problem-not-found")
    refused(await world.get("/api/verdict-schemas/coin-toss"), 404, "verdict-schema-not-found")
    answer = await world.ask("DELETE", "/api/topics", ADMIN)
    refused(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    for wrong in ("0" * 31, "0" * 32, "x" * 32, "%00", "%ff", "0" * 31 + "%0A"):
        answer = await world.get(f"/api/topics/{wrong}")
        assert answer.status_code == 404, wrong
        assert answer.json()["code"] == "topic-not-found"


async def test_a_read_that_its_projection_is_behind_of(world: World) -> None:
    path = f"/api/topics/{await world.propose()}"
    assert (await world.get(path)).status_code == 200
    world.seen += 1000
    behind = await world.ask("GET", path, headers={"Prefer": "wait=0"})
    refused(behind, 503, "projection-behind")
    assert int(behind.headers["retry-after"]) > 0
    lenient = {"Prefer": "wait=0, handling=lenient"}
    stale = await world.ask("GET", path, headers=lenient)
    assert stale.status_code == 200
    assert int(stale.headers["chronicle-position"]) < world.seen


async def test_every_problem_has_its_page(world: World) -> None:
    listed = await world.ask("GET", "/problems", NOBODY)
    for code, explained in PROBLEMS.items():
        page = await world.get(f"/problems/{code}")
        assert (page.status_code, str(explained.status) in page.text) == (200, True)
        assert f"/problems/{code}" in listed.text
