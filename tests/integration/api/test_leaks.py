"""What tells somebody of a private topic without showing it: work, headers, cursors, tags, ids."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx2
import pytest
from asyncpg.connection import LoggedQuery

from moot.api.app import create_app
from moot.api.exchange import Api
from moot.api.operations import Operation
from moot.contracts.debates import Stage
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection, Pool
from moot.runtime.dispatch import Dispatcher
from moot.runtime.readiness import Readiness
from tests.integration.api.clock import Clock
from tests.integration.api.test_visibility import ABOUT_A_TOPIC, MISSING, OTHERS, credentials
from tests.integration.api.world import ADMIN, NOBODY, World

PRIVATE: Mapping[str, Any] = {"visibility": "private", "invited_agents": ["ann"]}


@dataclass
class Noted:
    """What was asked of servers, in order, and the statement where it was one."""

    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def among(self, server: object) -> Any:  # noqa: ANN401 whatever the server is
        return _Listening(server, self.calls)

    def taken(self) -> list[tuple[str, str]]:
        calls, self.calls[:] = list(self.calls), []
        return calls


class _Listening:
    """Does what the server does, and notes what it is asked for."""

    def __init__(self, server: object, calls: list[tuple[str, str]]) -> None:
        self._server = server
        self._calls = calls

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection]:
        async with cast("Pool", self._server).acquire() as connection:

            def note(query: LoggedQuery) -> None:
                self._calls.append(("query", query.query))

            with connection.query_logger(note):
                yield connection

    def __getattr__(self, name: str) -> object:
        found = getattr(self._server, name)
        if not callable(found):
            return found

        def noted(*args: object, **named: object) -> object:
            statement = args[0] if args and isinstance(args[0], str) else ""
            self._calls.append((name, statement))
            return found(*args, **named)

        return noted


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
async def watched(api: Api, noted: Noted, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    """The same API, of which it is noted what it asks of PostgreSQL and of the Chronicle."""
    chronicle = cast("Chronicle", noted.among(api.chronicle))
    itself = replace(
        api,
        pool=cast("Pool", noted.among(api.pool)),
        chronicle=chronicle,
        dispatcher=Dispatcher(chronicle, source="moot/api", now=clock),
    )
    transport = httpx2.ASGITransport(app=create_app(itself, Readiness()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://moot.test") as http:
        yield http


async def asked(
    http: httpx2.AsyncClient, operation: Operation, topic_id: str, headers: Mapping[str, str]
) -> httpx2.Response:
    return await http.request(
        operation.method,
        operation.path.format(topic_id=topic_id),
        json=operation.example,
        headers=headers,
    )


@pytest.mark.parametrize("stage", [Stage.CREATED, Stage.DEBATING])
async def test_a_hidden_topic_takes_the_work_of_a_missing_one(
    world: World, watched: httpx2.AsyncClient, noted: Noted, stage: Stage
) -> None:
    hidden = await world.propose(**{**PRIVATE, "invited_agents": ["ann", "bob", "cyd", "dee"]})
    if stage is Stage.DEBATING:
        await world.reach(hidden, stage)
    await world.get(f"/api/topics/{hidden}", ADMIN)
    for who in OTHERS:
        caller = await credentials(world, who)
        await watched.get("/api/me", headers=caller)
        for operation in ABOUT_A_TOPIC:
            work: list[list[tuple[str, str]]] = []
            for topic_id in (hidden, MISSING):
                noted.taken()
                answer = await asked(watched, operation, topic_id, caller)
                assert answer.status_code in {401, 404}, operation.name
                work.append(noted.taken())
            assert work[0] == work[1], (who, operation.name)
            assert bool(work[0]) == (answer.status_code == 404), operation.name


async def test_headers_tell_no_more(world: World) -> None:
    hidden = await world.propose(**PRIVATE)
    shown = await world.get(f"/api/topics/{hidden}", ADMIN)
    tag = shown.headers["ETag"]
    said = (
        NOBODY,
        {"If-None-Match": tag},
        {"If-None-Match": "*"},
        {"If-Match": tag},
        {"If-Match": "*"},
        {"If-Match": '"nonsense"'},
        {"Last-Event-ID": "1"},
        {"Last-Event-ID": "nonsense"},
        {"Chronicle-Min-Position": "0"},
        {"Idempotency-Key": "a key"},
    )
    for who in OTHERS:
        caller = await credentials(world, who)
        for operation in ABOUT_A_TOPIC:
            for headers in said:
                sent = {**caller, **headers}
                answers = [await asked(world.http, operation, an, sent) for an in (hidden, MISSING)]
                first, second = ({**one.headers, "content-length": ""} for one in answers)
                assert answers[0].status_code == answers[1].status_code, (operation.name, headers)
                assert first == second, (operation.name, headers)
                assert not {"etag", "chronicle-position", "chronicle-parked"} & first.keys()


async def test_a_list_ends_where_what_a_caller_may_read_ends(world: World) -> None:
    for visibility in ("private", "public", "private"):
        await world.propose(visibility=visibility)
    for who in OTHERS:
        caller = await credentials(world, who)
        found = await world.get("/api/topics?limit=1", caller)
        assert (len(found.json()["items"]), found.json()["next"]) == (1, None), who
        assert "Link" not in found.headers
    assert (await world.get("/api/topics?limit=2", ADMIN)).json()["next"] is not None


async def test_anothers_cursor_shows_nobody_more(world: World) -> None:
    private, public, newest = [
        await world.propose(visibility=each) for each in ("private", "public", "private")
    ]
    page = (await world.get("/api/topics?limit=1", ADMIN)).json()
    assert [one["id"] for one in page["items"]] == [newest]
    rest = f"/api/topics?limit=10&cursor={page['next']}"
    for who, expected in (
        ("anonymous", [public]),
        ("outsider", [public]),
        ("admin", [public, private]),
    ):
        found = (await world.get(rest, await credentials(world, who))).json()
        assert [one["id"] for one in found["items"]] == expected, who


async def test_anothers_cursor_leads_into_no_hidden_topic(world: World) -> None:
    hidden = await world.propose(**{**PRIVATE, "invited_agents": ["ann", "bob", "cyd", "dee"]})
    await world.reach(hidden, Stage.SIGNUP_OPEN)
    path = f"/api/topics/{hidden}/signups"
    cursor = (await world.get(f"{path}?limit=1", ADMIN)).json()["next"]
    assert len((await world.get(f"{path}?cursor={cursor}", ADMIN)).json()["items"]) == 3
    outsider = await world.agent("outsider")
    answer = await world.get(f"{path}?cursor={cursor}", outsider)
    assert answer.json()["code"] == "topic-not-found"


async def test_anothers_page_of_the_chronicle_goes_on_with_what_is_ones_own(world: World) -> None:
    hidden = [await world.propose(**PRIVATE) for _ in range(3)]
    public = await world.propose()
    page = (await world.get("/api/chronicle?limit=1", ADMIN)).json()
    rest = f"/api/chronicle?limit=200&cursor={page['next']}"
    told = {event["subject"] for event in (await world.get(rest, ADMIN)).json()["items"]}
    assert {f"topic/{each}" for each in hidden} <= told
    for who in OTHERS:
        found = (await world.get(rest, await credentials(world, who))).json()
        assert {event["subject"] for event in found["items"]} == {f"topic/{public}"}, who


async def test_a_tag_holds_for_who_got_it(world: World) -> None:
    """What a caller may do is part of what they are shown."""
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}"
    tags: dict[str, str] = {}
    for who in ("creator", "outsider", "anonymous", "admin"):
        tags[who] = (await world.get(path, await credentials(world, who))).headers["ETag"]
    assert len(set(tags.values())) == len(tags)
    for who in tags:
        caller = await credentials(world, who)
        for whose, tag in tags.items():
            answer = await world.ask("GET", path, caller, headers={"If-None-Match": tag})
            assert answer.status_code == (304 if who == whose else 200), (who, whose)


async def test_what_is_no_cursor_is_refused_as_one_that_is_anothers(world: World) -> None:
    for cursor in ("%00", "w%00t", "nonsense"):
        answer = await world.get(f"/api/topics?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor"), cursor
