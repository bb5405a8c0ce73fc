"""Publishers' keys: issued once, limited, replaced, revoked."""

from datetime import timedelta

from moot.api.exchange import Api
from moot.contracts.publishing import PublisherName, publisher_stream_id
from moot.contracts.subjects import StreamName
from tests.integration.api.world import ADMIN, World
from tests.support.topics import NOON

PATH = "/api/admin/publishers"
BODY = {"publisher": "collector", "categories": ["posture", "artifact"]}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def holds(world: World, key: str) -> bool:
    status = (await world.get("/api/me", bearer(key))).status_code
    assert status in {200, 401}
    return status == 200


async def test_a_key_is_shown_once_and_stored_as_a_hash(world: World, api: Api) -> None:
    issued = await world.post(PATH, BODY, ADMIN)
    assert (issued.status_code, issued.headers["cache-control"]) == (201, "no-store")
    assert issued.headers["location"] == f"{PATH}/collector"
    shown = issued.json()
    assert shown["key"].startswith(f"moot_pub_{shown['key_id']}_")
    assert (shown["categories"], shown["types"]) == (["artifact", "posture"], [])
    secret = shown["key"].rpartition("_")[2]
    stream = StreamName("access", publisher_stream_id(PublisherName("collector")))
    stored = await api.chronicle.read(stream)
    assert len(stored) == 1
    assert all(secret.encode() not in one.body for one in stored)
    listed = await world.get(PATH, ADMIN)
    assert secret not in listed.text
    assert [one["publisher"] for one in listed.json()["items"]] == ["collector"]


async def test_a_repeated_issue_shows_no_secret(world: World) -> None:
    first = await world.post(PATH, BODY, ADMIN, Idempotency_Key="k")
    again = await world.post(PATH, BODY, ADMIN, Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "already-issued"


async def test_a_second_key_needs_force_and_ends_the_first(world: World) -> None:
    first = (await world.post(PATH, BODY, ADMIN)).json()["key"]
    refused = await world.post(PATH, BODY, ADMIN)
    assert (refused.status_code, refused.json()["code"]) == (409, "already-issued")
    second = (await world.post(PATH, {**BODY, "force": True}, ADMIN)).json()["key"]
    assert (await holds(world, first), await holds(world, second)) == (False, True)


async def test_a_revoked_key_is_refused_at_once_and_shown_as_revoked(world: World) -> None:
    key = (await world.post(PATH, BODY, ADMIN)).json()["key"]
    assert await holds(world, key)
    revoked = await world.ask("DELETE", f"{PATH}/collector?reason=lost", ADMIN)
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert not await holds(world, key)
    (listed,) = (await world.get(PATH, ADMIN)).json()["items"]
    assert listed["revoked_at"] is not None
    for nobody in ("nobody", "not%20a%20name"):
        unknown = await world.ask("DELETE", f"{PATH}/{nobody}", ADMIN)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "publisher-not-found")


async def test_a_key_expires(world: World) -> None:
    expires_at = NOON + timedelta(minutes=1)
    body = {**BODY, "expires_at": expires_at.isoformat()}
    key = (await world.post(PATH, body, ADMIN)).json()["key"]
    assert await holds(world, key)
    world.clock.at = expires_at
    assert not await holds(world, key)


async def test_another_replica_knows_a_key_and_its_grant_from_the_ops_db(
    world: World, api: Api
) -> None:
    key = (await world.post(PATH, BODY, ADMIN)).json()["key"]
    await world.get(PATH, ADMIN)
    api.callers.forget()
    assert await holds(world, key)
    altered = key[:-1] + ("0" if key[-1] != "0" else "1")
    assert not await holds(world, altered)


async def test_what_is_moots_own_is_granted_to_nobody(world: World) -> None:
    refused = await world.post(PATH, {**BODY, "categories": ["topic"]}, ADMIN)
    assert (refused.status_code, refused.json()["code"]) == (403, "not-ingestible")
    nothing = await world.post(PATH, {**BODY, "categories": []}, ADMIN)
    assert (nothing.status_code, nothing.json()["code"]) == (422, "invalid-request")


async def test_an_agent_of_the_same_name_is_somebody_else(world: World) -> None:
    publisher = (await world.post(PATH, BODY, ADMIN)).json()["key"]
    agent = await world.agent("collector")
    await world.ask("DELETE", f"{PATH}/collector", ADMIN)
    assert not await holds(world, publisher)
    assert (await world.get("/api/me", agent)).json()["auth_id"] == "agent:collector"


async def test_publishers_are_listed_a_page_at_a_time(world: World) -> None:
    for name in ("a", "b", "c"):
        await world.post(PATH, {**BODY, "publisher": name}, ADMIN)
    first = (await world.get(f"{PATH}?limit=2", ADMIN)).json()
    rest = (await world.get(f"{PATH}?limit=2&cursor={first['next']}", ADMIN)).json()
    assert [one["publisher"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None
