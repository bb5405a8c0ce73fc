"""Events of other systems: each stored once, in its stream, or refused with a reason."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from moot.api.cloud_events import BATCH, MAX_EVENTS, CloudEvent, check_events
from moot.api.exchange import Api
from moot.api.publishing import Publishing
from moot.contracts.artifact_examples import ARTIFACT_EVENTS, POSTURE_EVENTS
from moot.contracts.publishing import Grant, PublisherName
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Chronicle, Stored
from moot.runtime.database import Pool
from moot.runtime.memory import InMemoryChronicle
from tests.integration.api.world import ADMIN, NOBODY, World

REGISTERED, OBSERVED = ARTIFACT_EVENTS[0], POSTURE_EVENTS[0]
ARTIFACT = StreamName("artifact", "baseline")
POSTURE = StreamName("posture", "baseline")
COLLECTOR = PublisherName("collector")


def sent(event_id: str = "1", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 its attributes
    """A CloudEvent that says an artifact was registered, or what is changed of that."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/substrate/collector",
        "type": REGISTERED.type,
        "subject": ARTIFACT.label,
        "time": "2026-11-20T08:00:00Z",
        "data": REGISTERED.model_dump(mode="json"),
        **changes,
    }


def observed(event_id: str, artifact: str = "baseline", **data: Any) -> dict[str, Any]:  # noqa: ANN401 its data
    told = {**OBSERVED.model_dump(mode="json"), **data}
    return sent(event_id, type=OBSERVED.type, subject=f"posture/{artifact}", data=told)


async def key(world: World, **body: Any) -> dict[str, str]:  # noqa: ANN401 the request's body
    issue = {"publisher": "collector", "categories": ["artifact", "posture"], **body}
    answer = await world.post("/api/admin/publishers", issue, ADMIN)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


async def publish(
    world: World,
    body: Any,  # noqa: ANN401 any JSON
    caller: Mapping[str, str],
    media_type: str | None = None,
) -> httpx2.Response:
    chosen = media_type or (BATCH if isinstance(body, list) else "application/cloudevents+json")
    headers = {"Content-Type": chosen}
    content = json.dumps(body).encode()
    return await world.ask("POST", "/api/events", caller, content=content, headers=headers)


def told(answer: httpx2.Response) -> list[tuple[int, bool]]:
    assert answer.is_success, answer.text
    return [(event["position"], event["duplicate"]) for event in answer.json()["events"]]


def document(stored: Stored) -> dict[str, Any]:
    return json.loads(stored.body)


async def test_an_event_is_stored_as_it_was_sent(world: World, api: Api) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = sent(correlationid="order-7", causationid="cause-6", traceparent=trace, partitionkey=1)
    answer = await publish(world, event, await key(world))
    (position, duplicate), *others = told(answer)
    assert (answer.status_code, duplicate, others) == (201, False, [])
    assert answer.headers["chronicle-position"] == str(position)
    assert answer.headers["location"] == f"/api/chronicle/{position}"
    (stored,) = await api.chronicle.read(ARTIFACT)
    kept = document(stored)
    assert stored.position == position
    for name in ("source", "type", "subject", "time", "data", "correlationid", "causationid"):
        assert kept[name] == event[name], name
    assert kept["traceparent"] == trace
    assert (kept["authid"], kept["sourceid"]) == ("publisher:collector", "1")
    assert "partitionkey" not in kept


async def test_what_comes_again_is_answered_with_its_first_position(world: World, api: Api) -> None:
    collector = await key(world)
    first = told(await publish(world, sent("1"), collector))[0][0]
    for number in range(3):
        await publish(world, observed(f"o{number}"), collector)
    # Known by the read model from here on, however long ago it was.
    await world.get("/api/admin/publishers", ADMIN)
    again = await publish(world, sent("1", time="2026-11-21T09:00:00Z"), collector)
    assert (again.status_code, told(again)) == (200, [(first, True)])
    assert len(await api.chronicle.read(ARTIFACT)) == 1
    other_source = told(await publish(world, sent("1", source="/other"), collector))
    assert other_source[0] > (first, False), "an id is unique in its source only"


async def test_another_publishers_id_is_another_id(world: World) -> None:
    mine = told(await publish(world, sent("1"), await key(world)))
    theirs = told(await publish(world, sent("1"), await key(world, publisher="other")))
    assert mine != theirs
    assert theirs[0][1] is False


async def test_an_id_that_was_another_event_is_refused(world: World, api: Api) -> None:
    collector = await key(world)
    await publish(world, observed("1"), collector)
    head = await api.chronicle.head()
    at_once = await publish(world, observed("1", status="healthy"), collector)
    assert at_once.json()["code"] == "event-id-reused"
    # In another stream it is known by the read model.
    await world.get("/api/admin/publishers", ADMIN)
    for other in (observed("1", status="failed"), observed("1", "another"), sent("1")):
        refused = await publish(world, other, collector)
        assert (refused.status_code, refused.json()["code"]) == (409, "event-id-reused")
    batch = await publish(world, [observed("2"), observed("2", status="failed")], collector)
    assert batch.json()["code"] == "event-id-reused"
    assert await api.chronicle.head() == head


async def test_a_batch_keeps_its_order_over_all_streams(world: World, api: Api) -> None:
    collector = await key(world)
    before = told(await publish(world, sent("known"), collector))[0][0]
    batch = [observed("a"), sent("b", subject="artifact/other"), observed("c"), sent("known")]
    answer = await publish(world, [*batch, observed("a")], collector)
    assert answer.status_code == 201
    assert told(answer) == [
        (before + 1, False),
        (before + 2, False),
        (before + 3, False),
        (before, True),
        (before + 1, True),
    ]
    assert [document(one)["sourceid"] for one in await api.chronicle.read(POSTURE)] == ["a", "c"]
    again = await publish(world, batch, collector)
    assert again.status_code == 200
    assert all(duplicate for _, duplicate in told(again))


async def test_a_batch_with_one_bad_event_is_stored_not_at_all(world: World, api: Api) -> None:
    collector = await key(world)
    head = await api.chronicle.head()
    refused = await publish(world, [sent("1"), observed("2", status="great")], collector)
    assert (refused.status_code, refused.json()["code"]) == (422, "event-does-not-match-contract")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/1/data/status"]
    assert await api.chronicle.head() == head


async def test_the_same_event_many_times_at_once_is_stored_once(world: World, api: Api) -> None:
    collector = await key(world)
    answers = await asyncio.gather(*(publish(world, sent("1"), collector) for _ in range(30)))
    assert len({told(answer)[0][0] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 29 + [201]
    assert len(await api.chronicle.read(ARTIFACT)) == 1


async def test_replicas_store_an_event_once_and_each_stream_in_one_order(
    world: World, api: Api
) -> None:
    await key(world)
    replicas = [Publishing(api.chronicle, api.pool) for _ in range(3)]

    async def both(replica: Publishing, number: int) -> list[int]:
        same, own = observed("same"), observed(f"{number}", "other")
        events = [CloudEvent.model_validate(one) for one in (same, own)]
        incoming = check_events(events, Grant(categories=("posture",)), batch=True)
        return [place.position for place in await replica.publish(COLLECTOR, incoming)]

    found = await asyncio.gather(
        *(both(replica, number) for number in range(4) for replica in replicas)
    )
    assert len({same for same, _ in found}) == 1
    assert len(await api.chronicle.read(POSTURE)) == 1
    assert len(await api.chronicle.read(StreamName("posture", "other"))) == 4


async def test_after_a_lost_answer_the_event_is_found(world: World, api: Api) -> None:
    collector = await key(world)
    assert isinstance(api.chronicle, InMemoryChronicle)
    api.chronicle.lose_answers = 1
    lost = await publish(world, [sent("1"), observed("2")], collector)
    assert (lost.status_code, lost.json()["code"]) == (503, "chronicle-unavailable")
    again = await publish(world, [sent("1"), observed("2")], collector)
    assert [duplicate for _, duplicate in told(again)] == [True, True]
    assert len(await api.chronicle.read(ARTIFACT)) == 1


class Watched(InMemoryChronicle):
    """Counts the events that are read of streams."""

    read_events = 0

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        found = await super().read(stream, after)
        self.read_events += len(found)
        return found


async def publish_alone(chronicle: Chronicle, pool: Pool, event_id: str) -> tuple[int, bool]:
    incoming = check_events(
        [CloudEvent.model_validate(observed(event_id))],
        Grant(categories=("posture",)),
        batch=False,
    )
    (place,) = await Publishing(chronicle, pool).publish(COLLECTOR, incoming)
    return place.position, place.duplicate


async def test_a_repeat_is_known_without_the_read_model_too(pool: Pool) -> None:
    chronicle = Watched()
    for number in range(5):
        assert await publish_alone(chronicle, pool, str(number)) == (number + 1, False)
    assert await publish_alone(chronicle, pool, "2") == (3, True)
    assert chronicle.read_events == 0 + 1 + 2 + 3 + 4 + 5


async def test_with_the_read_model_no_stream_is_read(world: World, api: Api) -> None:
    collector = await key(world)
    for number in range(5):
        await publish(world, observed(str(number)), collector)
    await world.get("/api/admin/publishers", ADMIN)
    chronicle = Watched()
    chronicle.__dict__ |= {
        name: value for name, value in api.chronicle.__dict__.items() if name != "read_events"
    }
    assert (await publish_alone(chronicle, api.pool, "2"))[1] is True
    assert chronicle.read_events == 0


async def test_what_was_set_aside_is_known_too(world: World, pool: Pool) -> None:
    collector = await key(world)
    first = told(await publish(world, observed("1"), collector))
    await world.get("/api/admin/publishers", ADMIN)
    schema = "ops_publishing_v1_1"
    await pool.execute(f"DELETE FROM {schema}.published_events")  # noqa: S608 our own name
    await pool.execute(
        f"INSERT INTO {schema}.dead_letters"  # noqa: S608 our own name
        " (projection, position, key, event_id, subject, reason, stored_at)"
        " VALUES ('publishing_v1', $1, $2, 'x', $3, 'planted', now())",
        first[0][0],
        POSTURE.label,
        POSTURE.subject,
    )
    assert told(await publish(world, observed("1"), collector)) == [(first[0][0], True)]


REFUSED: tuple[tuple[str, Any, int, str, str], ...] = (
    ("type", "dreamt.v1", 422, "unknown-event-type", "/type"),
    ("type", "moot.topic.signup_opened.v1", 403, "not-ingestible", "/type"),
    ("type", OBSERVED.type, 422, "event-does-not-match-contract", "/subject"),
    ("subject", "posture/baseline", 422, "event-does-not-match-contract", "/subject"),
    ("subject", "artifact/with space", 422, "invalid-request", "/subject"),
    ("subject", "artifact/a.b", 422, "invalid-request", "/subject"),
    ("subject", None, 422, "invalid-request", "/subject"),
    ("specversion", "0.3", 422, "invalid-request", "/specversion"),
    ("id", "", 422, "invalid-request", "/id"),
    ("id", "tab\there", 422, "invalid-request", "/id"),
    ("source", "", 422, "invalid-request", "/source"),
    ("time", "yesterday", 422, "invalid-request", "/time"),
    ("time", "2026-11-21T12:00:00", 422, "invalid-request", "/time"),
    ("data", [], 422, "invalid-request", "/data"),
    ("data", {}, 422, "event-does-not-match-contract", "/data/name"),
    ("datacontenttype", "text/xml", 422, "invalid-request", "/datacontenttype"),
    ("traceparent", "nonsense", 422, "invalid-request", "/traceparent"),
    ("authid", "admin:key", 422, "invalid-request", ""),
)


@pytest.mark.parametrize(("name", "value", "status", "code", "pointer"), REFUSED)
async def test_what_is_not_as_agreed_is_refused(
    world: World,
    name: str,
    value: Any,  # noqa: ANN401 an attribute's
    status: int,
    code: str,
    pointer: str,
) -> None:
    refused = await publish(world, sent(**{name: value}), await key(world))
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (status, code), problem
    assert problem["errors"][0]["pointer"] == pointer
    assert refused.headers["content-type"] == "application/problem+json"


async def test_unknown_types_are_told_where_the_known_ones_are(world: World) -> None:
    refused = await publish(world, sent(type="dreamt.v1"), await key(world))
    assert "/api/contracts" in refused.json()["detail"]
    known = (await world.get("/api/contracts")).json()
    ingestible = {event["type"] for event in known["events"] if event["ingestible"]}
    assert {REGISTERED.type, OBSERVED.type} == ingestible


async def test_a_grant_has_its_limits(world: World) -> None:
    by_category = await key(world, publisher="posture-only", categories=["posture"])
    by_type = await key(world, publisher="one-type", types=[OBSERVED.type])
    for caller in (by_category, by_type):
        assert (await publish(world, observed("1"), caller)).status_code == 201
        refused = await publish(world, sent("2"), caller)
        assert (refused.status_code, refused.json()["code"]) == (403, "not-granted")


async def test_only_publishers_publish(world: World) -> None:
    for caller, code in ((await world.agent("ann"), 403), (ADMIN, 401), (NOBODY, 401)):
        assert (await publish(world, sent(), caller)).status_code == code
    publisher = await key(world)
    me = await world.get("/api/me", publisher)
    assert me.json()["auth_id"] == "publisher:collector"
    refused = await world.post("/api/topics", {"title": "mine"}, publisher)
    assert refused.status_code in {403, 422}
    assert (await world.get("/api/admin/publishers", publisher)).status_code == 403


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/avro"])
async def test_other_media_types_are_refused(world: World, media_type: str) -> None:
    refused = await publish(world, sent(), await key(world), media_type)
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported-media-type")


async def test_batches_have_limits(world: World) -> None:
    collector = await key(world)
    for batch in ([], [observed(str(n)) for n in range(MAX_EVENTS + 1)]):
        refused = await publish(world, batch, collector)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
    assert (await publish(world, [observed("x" * 600_000)], collector)).status_code == 413
    whole = [observed(str(n), f"artifact-{n % 50}") for n in range(MAX_EVENTS)]
    positions = [position for position, _ in told(await publish(world, whole, collector))]
    assert positions == list(range(positions[0], positions[0] + MAX_EVENTS))
