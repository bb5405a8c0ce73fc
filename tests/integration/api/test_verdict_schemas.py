"""Schemas that admins register, and debates that are judged by them."""

from typing import Any

from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN, PROPOSAL, World

PATH = "/api/verdict-schemas"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"euros": {"type": "integer", "minimum": 0}, "to": {"enum": ["ann", "bob"]}},
    "required": ["euros", "to"],
}
GRANT: dict[str, Any] = {"id": "grant", "title": "A sum is granted", "json_schema": SCHEMA}


async def test_an_admin_registers_a_schema_which_anybody_reads(world: World) -> None:
    answer = await world.post(PATH, {**GRANT, "reason": "the spring call"}, ADMIN)
    assert answer.status_code == 201, answer.text
    assert answer.json() == GRANT
    assert answer.headers["location"] == f"{PATH}/grant"

    shown = await world.get(f"{PATH}/grant")
    assert shown.json() == GRANT
    assert shown.headers["etag"] == answer.headers["etag"]
    assert int(shown.headers["chronicle-position"]) >= world.seen
    known = {"If-None-Match": shown.headers["etag"]}
    assert (await world.ask("GET", f"{PATH}/grant", headers=known)).status_code == 304
    assert GRANT in (await world.get(PATH)).json()["items"]
    first = (await world.get(f"{PATH}?limit=4")).json()
    assert GRANT not in first["items"]
    assert (await world.get(f"{PATH}?limit=4&cursor={first['next']}")).json() == {
        "items": [GRANT],
        "next": None,
    }


async def test_it_never_changes(world: World) -> None:
    key = {"Idempotency_Key": "k1"}
    first = await world.post(PATH, GRANT, ADMIN, **key)
    again = await world.post(PATH, GRANT, ADMIN, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    same = await world.post(PATH, GRANT, ADMIN)
    assert (same.status_code, same.json()) == (200, GRANT)

    other = await world.post(PATH, {**GRANT, "json_schema": {}}, ADMIN)
    assert (other.status_code, other.json()["code"]) == (409, "verdict-schema-exists")
    assert (await world.get(f"{PATH}/grant")).json() == GRANT


async def test_what_is_no_schema_is_refused_with_where_it_is_none(world: World) -> None:
    wrong = {**GRANT, "json_schema": {"properties": {"a": {"type": "nonsense"}}}}
    answer = await world.post(PATH, wrong, ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-verdict-schema")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/json_schema/properties/a/type"]
    assert (await world.post(PATH, {**GRANT, "id": "No!"}, ADMIN)).status_code == 422
    assert (await world.post(PATH, GRANT, await world.agent("ann"))).status_code == 403
    assert (await world.post(PATH, GRANT)).status_code == 401
    assert (await world.get(f"{PATH}/grant")).json()["code"] == "verdict-schema-not-found"


async def test_a_debate_is_judged_by_the_schema_it_was_proposed_with(world: World) -> None:
    unknown = await world.post(
        "/api/topics", {**PROPOSAL, "verdict_schema_id": "grant"}, await world.agent("creator")
    )
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-verdict-schema")
    await world.post(PATH, GRANT, ADMIN)
    topic_id = await world.propose(verdict_schema_id="grant")
    await world.reach(topic_id, Stage.JUDGING)
    judge = await world.in_camp(topic_id, "judge")
    path = f"/api/topics/{topic_id}/verdict"
    for verdict, pointers in (
        ({"euros": -1, "to": "eve"}, ["/euros", "/to"]),
        ({"winner": "pro", "confidence": 1}, ["", ""]),
    ):
        answer = await world.post(path, {"verdict": verdict, "rationale": "So."}, judge)
        assert answer.json()["code"] == "verdict-does-not-match-schema", answer.text
        # The answer names where in the request it is.
        found = sorted(e["pointer"].removeprefix("/verdict") for e in answer.json()["errors"])
        assert found == pointers

    accepted = {"verdict": {"euros": 500, "to": "ann"}, "rationale": "So."}
    answer = await world.post(path, accepted, judge)
    assert answer.status_code == 201, answer.text
    assert (await world.get(path)).json()["verdict"] == accepted["verdict"]
    topic = (await world.get(f"/api/topics/{topic_id}")).json()
    assert (topic["verdict_schema_id"], topic["status"]) == ("grant", "completed")
