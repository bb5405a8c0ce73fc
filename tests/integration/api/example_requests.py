"""For each operation, a Moot in which the example of it that is documented can be asked for."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moot.api.operations import Operation
from moot.api.routes import OPERATIONS
from moot.contracts.debates import Stage
from tests.integration.api.test_publishing import key as publishing_key
from tests.integration.api.test_webhooks import Deliveries
from tests.integration.api.world import ADMIN, NOBODY, World
from tests.support.topics import NOON

NAMED: Mapping[str, Operation] = {one.name: one for one in OPERATIONS}


@dataclass(frozen=True)
class Request:
    """What is asked, beside the documented body, and by whom."""

    caller: Mapping[str, str] = field(default_factory=lambda: NOBODY)
    path: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    query: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


async def ask(world: World, name: str, request: Request) -> Any:  # noqa: ANN401 httpx2's answer
    """Ask for an operation as it is documented."""
    operation = NAMED[name]
    path = operation.path.format(**request.path)
    query = "&".join(f"{key}={value}" for key, value in request.query.items())
    headers = {"Content-Type": operation.body_media_type} if operation.body else {}
    answer = await world.ask(
        operation.method,
        f"{path}?{query}" if query else path,
        request.caller,
        json=operation.example,
        headers=headers,
    )
    if name == "issue_agent_key" and answer.is_success:
        world.keys[answer.json()["agent_id"]] = answer.json()["key"]
    return answer


async def topic_in(world: World, stage: Stage) -> str:
    """Return a topic that was proposed by the documented example, or one at that stage."""
    world.clock.at = NOON
    if stage is Stage.CREATED:
        proposed = await ask(world, "propose_topic", Request(await world.agent("creator")))
        return proposed.json()["id"]
    topic_id = await world.propose()
    await world.reach(topic_id, stage)
    return topic_id


async def _of_nothing(world: World, caller: str) -> Request:
    world.clock.at = NOON
    return Request(ADMIN if caller == "admin" else await world.agent(caller))


async def _of_a_topic(world: World, stage: Stage, caller: str) -> Request:
    topic_id = await topic_in(world, stage)
    if stage is Stage.DEBATING:
        await ask(
            world,
            "post_argument",
            Request(await world.in_camp(topic_id, "pro"), {"topic_id": topic_id}),
        )
    match caller:
        case "nobody":
            credentials = NOBODY
        case "admin":
            credentials = ADMIN
        case "pro" | "con" | "judge":
            credentials = await world.in_camp(topic_id, caller)
        case _:
            credentials = await world.agent(caller)
    return Request(credentials, {"topic_id": topic_id})


async def _of_who_argues(world: World) -> Request:
    return Request((await _of_a_topic(world, Stage.DEBATING, "pro")).caller)


async def _of_an_agent(world: World) -> Request:
    topic = await _of_a_topic(world, Stage.JUDGING, "judge")
    me = await world.get("/api/me", topic.caller)
    return Request(ADMIN, {"agent_id": me.json()["id"]})


async def _judged(world: World) -> Request:
    request = await _of_a_topic(world, Stage.JUDGING, "judge")
    await ask(world, "submit_verdict", request)
    return Request(NOBODY, request.path)


async def _of_a_webhook(world: World) -> Request:
    registered = await ask(world, "register_webhook", Request(ADMIN))
    return Request(ADMIN, {"webhook_id": registered.json()["id"]})


async def _of_a_delivery(world: World, *, attempted: bool) -> Request:
    topic_id = await topic_in(world, Stage.CREATED)
    told = Deliveries(world, topic_id)
    await told.request(told.hook)
    await told.request(told.channel)
    await told.attempt(told.channel, 1, 201, '{"seq": 1}')
    if not attempted:
        return Request(NOBODY, query={"topic": topic_id})
    await told.attempt(told.hook, 1, 404, "who?")
    queue, _, event = told.id_of(told.hook).partition("/")
    return Request(ADMIN, {"queue_id": queue, "event_id": event})


async def _of_a_key(world: World) -> Request:
    await world.agent("ann")
    return Request(ADMIN, {"agent_id": "ann"}, {"reason": "lost"})


async def _of_a_publisher(world: World, name: str) -> Request:
    world.clock.at = NOON
    key = await publishing_key(world, force=True)
    match name:
        case "publish_events":
            return Request(key)
        case "revoke_publishing_key":
            return Request(ADMIN, {"publisher": "collector"}, {"reason": "replaced"})
        case _:
            return Request(ADMIN)


async def _of_events(world: World, name: str) -> Request:
    topic_id = await topic_in(world, Stage.DEBATING)
    match name:
        case "list_events":
            return Request(NOBODY, query={"category": "topic", "id": topic_id, "limit": 2})
        case "get_event":
            return Request(await world.agent("ann"), {"position": world.seen})
        case "stream_topic":
            return Request(NOBODY, {"topic_id": topic_id}, {"after": 0})
        case _:
            return Request(NOBODY, query={"after": 0})


FIRST = ("issue_agent_key", "issue_publishing_key")
"""While nobody has a key yet."""
LAST = ("revoke_agent_key", "revoke_publishing_key")

Ready = Callable[[World], Awaitable[Request]]

READY: Mapping[str, Ready] = {
    "propose_topic": lambda world: _of_nothing(world, "creator"),
    "list_topics": lambda world: _listing(world, {"status": "debating", "limit": 2}),
    "get_topic": lambda world: _of_a_topic(world, Stage.DEBATING, "pro"),
    "amend_topic": lambda world: _of_a_topic(world, Stage.CREATED, "creator"),
    "set_visibility": lambda world: _of_a_topic(world, Stage.CREATED, "admin"),
    "cancel_topic": lambda world: _of_a_topic(world, Stage.CREATED, "creator"),
    # The draw of these sign-ups leaves out ann, whom the example names.
    "replace_judge": lambda world: _of_a_topic(world, Stage.JUDGING, "admin"),
    "sign_up": lambda world: _of_a_topic(world, Stage.SIGNUP_OPEN, "eve"),
    "list_signups": lambda world: _of_a_topic(world, Stage.SIGNUP_OPEN, "ann"),
    "withdraw_signup": lambda world: _of_a_topic(world, Stage.SIGNUP_OPEN, "ann"),
    "post_argument": lambda world: _of_a_topic(world, Stage.DEBATING, "con"),
    "list_arguments": lambda world: _of_a_topic(world, Stage.DEBATING, "nobody"),
    "submit_verdict": lambda world: _of_a_topic(world, Stage.JUDGING, "judge"),
    "get_verdict": _judged,
    "get_allocation": lambda world: _of_a_topic(world, Stage.SIGNUP_CLOSED, "nobody"),
    "export_debate": _judged,
    "register_verdict_schema": lambda world: _of_nothing(world, "admin"),
    "list_verdict_schemas": lambda world: _of_nothing(world, "ann"),
    "get_verdict_schema": lambda world: _of_a_schema(world),  # noqa: PLW0108 it stands below
    "stream_topic": lambda world: _of_events(world, "stream_topic"),
    "stream_chronicle": lambda world: _of_events(world, "stream_chronicle"),
    "list_events": lambda world: _of_events(world, "list_events"),
    "get_event": lambda world: _of_events(world, "get_event"),
    "list_announcements": lambda world: _of_a_delivery(world, attempted=False),
    "list_deadlines": lambda world: _listing(world, {"limit": 2}, ADMIN),
    "register_webhook": lambda world: _of_nothing(world, "admin"),
    "list_webhooks": _of_a_webhook,
    "get_webhook": _of_a_webhook,
    "change_webhook": _of_a_webhook,
    "remove_webhook": _of_a_webhook,
    "rotate_webhook_secret": _of_a_webhook,
    "retry_delivery": lambda world: _of_a_delivery(world, attempted=True),
    "issue_agent_key": lambda world: _of_nothing(world, "admin"),
    "revoke_agent_key": _of_a_key,
    "get_me": lambda world: _of_nothing(world, "ann"),
    "get_inbox": _of_who_argues,
    "get_agent_activity": _of_an_agent,
    "list_contracts": lambda world: _of_nothing(world, "ann"),
    "publish_events": lambda world: _of_a_publisher(world, "publish_events"),
    "issue_publishing_key": lambda world: _of_nothing(world, "admin"),
    "list_publishers": lambda world: _of_a_publisher(world, "list_publishers"),
    "revoke_publishing_key": lambda world: _of_a_publisher(world, "revoke_publishing_key"),
}
"""By operationId."""


async def _listing(
    world: World, query: Mapping[str, str | int], caller: Mapping[str, str] = NOBODY
) -> Request:
    await topic_in(world, Stage.DEBATING)
    return Request(caller, query=query)


async def _of_a_schema(world: World) -> Request:
    listed = await ask(world, "list_verdict_schemas", Request())
    return Request(path={"schema_id": listed.json()["items"][0]["id"]})
