"""Who is calling: agents' keys, the admin's key, and what is none of these."""

import re
from datetime import timedelta

import pytest
from starlette.datastructures import Headers

from moot.api.callers import Callers
from moot.api.event_stream import MEDIA_TYPE
from moot.api.exchange import Api
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.api.routes import OPERATIONS
from moot.contracts.subjects import StreamName
from moot.runtime.clock import utc_now
from tests.integration.api.world import ADMIN, NOBODY, PEPPER, World
from tests.support.topics import NOON

SECRET = "0" * 64


def path_of(operation: Operation) -> str:
    ids = {"schema_id": "binary", "agent_id": "ann", "position": "1"}
    return re.sub(r"{(\w+)}", lambda found: ids.get(found[1], "0" * 32), operation.path)


async def test_a_key_is_shown_once_and_stored_as_a_hash(world: World, api: Api) -> None:
    issued = await world.post("/api/admin/agent-keys", {"agent_id": "ann"}, ADMIN)
    assert issued.status_code == 201
    assert issued.headers["cache-control"] == "no-store"
    key = issued.json()["key"]
    assert key.startswith(f"moot_{issued.json()['key_id']}_")
    me = await world.get("/api/me", {"Authorization": f"Bearer {key}"})
    assert me.json() == {"kind": "agent", "id": "ann", "auth_id": "agent:ann"}
    secret = key.rpartition("_")[2]
    for stored in await api.chronicle.read(StreamName("access", "ann")):
        assert secret.encode() not in stored.body
    rows = await api.pool.fetch("SELECT agent_keys::text AS row FROM agent_keys")
    assert [row for row in rows if secret in row["row"]] == []


async def test_an_agent_has_one_key(world: World) -> None:
    first = await world.agent("ann")
    again = await world.post("/api/admin/agent-keys", {"agent_id": "ann"}, ADMIN)
    assert (again.status_code, again.json()["code"]) == (409, "already-issued")
    forced = await world.post("/api/admin/agent-keys", {"agent_id": "ann", "force": True}, ADMIN)
    assert forced.status_code == 201
    assert (await world.get("/api/me", first)).status_code == 401
    key = {"Authorization": f"Bearer {forced.json()['key']}"}
    assert (await world.get("/api/me", key)).status_code == 200


async def test_a_key_that_would_be_dead_at_once_is_not_issued(world: World) -> None:
    body = {"agent_id": "ann", "expires_at": "2001-01-01T00:00:00Z"}
    refused = await world.post("/api/admin/agent-keys", body, ADMIN)
    assert (refused.status_code, refused.json()["code"]) == (422, "expiry-has-passed")


async def test_a_repeated_issue_shows_no_secret(world: World) -> None:
    body = {"agent_id": "ann"}
    first = await world.post("/api/admin/agent-keys", body, ADMIN, Idempotency_Key="k")
    again = await world.post("/api/admin/agent-keys", body, ADMIN, Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "already-issued"


async def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    ann = await world.agent("ann")
    assert (await world.get("/api/me", ann)).status_code == 200
    revoked = await world.ask("DELETE", "/api/admin/agent-keys/ann?reason=lost", ADMIN)
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert (await world.get("/api/me", ann)).status_code == 401
    unknown = await world.ask("DELETE", "/api/admin/agent-keys/nobody", ADMIN)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "agent-key-not-found")


async def test_a_key_expires(world: World) -> None:
    expires_at = NOON + timedelta(minutes=1)
    body = {"agent_id": "ann", "expires_at": expires_at.isoformat()}
    key = (await world.post("/api/admin/agent-keys", body, ADMIN)).json()["key"]
    ann = {"Authorization": f"Bearer {key}"}
    assert (await world.get("/api/me", ann)).status_code == 200
    world.clock.at = expires_at
    assert (await world.get("/api/me", ann)).status_code == 401


async def test_another_replica_knows_a_key_from_the_ops_db(world: World, api: Api) -> None:
    ann = await world.agent("ann")
    await world.get("/api/topics")
    api.callers.forget()
    assert (await world.get("/api/me", ann)).status_code == 200


async def test_last_uses_are_noted(world: World, api: Api) -> None:
    await world.get("/api/me", await world.agent("ann"))
    world.clock.at += timedelta(hours=1)
    await world.get("/api/me", await world.agent("ann"))
    await api.callers.note_uses()
    await api.callers.note_uses()
    rows = await api.pool.fetch("SELECT used_at FROM access.last_used")
    assert [row["used_at"] for row in rows] == [NOON + timedelta(hours=1)]


WRONG_CREDENTIALS = (
    ("Authorization", f"Bearer moot_{'0' * 32}_{SECRET}"),
    ("Authorization", "Bearer moot_x_y"),
    ("Authorization", "Bearer "),
    ("Authorization", "Bearer"),
    ("Authorization", ""),
    ("Authorization", "Basic YTpi"),
    ("Authorization", "Bearer \xff"),
    ("X-Moot-Admin-Key", "wrong"),
    ("X-Moot-Admin-Key", ""),
    ("X-Moot-Admin-Key", "\xff"),
)


async def test_right_credentials_do_not_make_up_for_wrong_ones_beside_them(world: World) -> None:
    agent = await world.agent("ann")
    both = await world.get("/api/me", {**ADMIN, **agent})
    assert both.json()["auth_id"] == "admin:key"
    for wrong in ({"X-Moot-Admin-Key": "no"}, {"Authorization": "Bearer no"}):
        refused = await world.get("/api/me", {**ADMIN, **agent, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (401, "bad-credentials")


async def test_wrong_credentials_are_refused_everywhere(world: World) -> None:
    for name, value in WRONG_CREDENTIALS:
        sent = {name.encode(): value.encode("latin-1")}
        for operation in OPERATIONS:
            answer = await world.http.request(operation.method, path_of(operation), headers=sent)
            assert (answer.status_code, answer.json()["code"]) == (401, "bad-credentials"), sent
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_another_secret_for_a_known_key_is_refused(world: World) -> None:
    ann = await world.agent("ann")
    altered = {"Authorization": ann["Authorization"][:-1] + "x"}
    forged = {"Authorization": ann["Authorization"][:-64] + SECRET}
    for wrong in (altered, forged):
        assert (await world.get("/api/topics", wrong)).status_code == 401


async def test_what_needs_credentials_says_so_first(world: World) -> None:
    ann = await world.agent("ann")
    for operation in OPERATIONS:
        # A stream wouldn't end; its head says the same.
        method = "HEAD" if MEDIA_TYPE in operation.media_types else operation.method
        nobody = await world.ask(method, path_of(operation), NOBODY)
        needed = nobody.status_code == 401
        assert needed == (operation.who != "anyone"), operation.name
        if needed:
            assert nobody.json()["code"] == "credentials-required"
            assert nobody.headers["www-authenticate"] == 'Bearer realm="moot"'
        if operation.who == "admins":
            agent = await world.ask(operation.method, path_of(operation), ann)
            assert (agent.status_code, agent.json()["code"]) == (403, "not-admin")


async def test_without_an_admin_key_nobody_is_an_admin(api: Api) -> None:
    callers = Callers(api.pool, api.callers.news, admin_key=None, pepper=PEPPER, now=utc_now)
    for key in ("", "None", ADMIN["X-Moot-Admin-Key"]):
        with pytest.raises(Problem) as refused:
            await callers.identify(Headers({"X-Moot-Admin-Key": key}))
        assert refused.value.code == "bad-credentials"
