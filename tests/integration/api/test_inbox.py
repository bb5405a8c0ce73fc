"""What an agent is told to do, and what admins are told that it did."""

import asyncio

from moot.api.exchange import Api
from moot.contracts.debates import Stage
from moot.contracts.topic_commands import CloseSignup, OpenSignup
from tests.integration.api.world import ADMIN, World
from tests.support.topics import SCHEDULE, TICKER
from tests.support.waiting import until


async def topics_in(world: World, agent_id: str) -> list[str]:
    answer = await world.get("/api/me/inbox", await world.agent(agent_id))
    assert answer.status_code == 200, answer.text
    return [item["topic"]["id"] for item in answer.json()["items"]]


async def test_an_inbox_has_what_may_be_done_now_and_until_when(world: World) -> None:
    topic_id = await world.propose()
    hidden = await world.propose(visibility="private", invited_agents=["ann"])
    assert await topics_in(world, "zoe") == []
    await world.reach(topic_id, Stage.SIGNUP_OPEN)
    assert await topics_in(world, "zoe") == [topic_id]
    await world.fire(hidden, OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
    assert await topics_in(world, "zoe") == [topic_id]
    assert sorted(await topics_in(world, "ann")) == sorted([topic_id, hidden])
    await world.close(topic_id)
    await world.allocate(topic_id)
    judge, spare = await world.seated(topic_id, "judge"), await world.spare(topic_id)
    assert topic_id not in await topics_in(world, spare)
    await world.fire(hidden, CloseSignup(by=TICKER), SCHEDULE.signup_close_at)
    await world.start(topic_id)
    await world.end(topic_id)

    inbox = (await world.get("/api/me/inbox", await world.agent(judge))).json()

    assert [item["topic"]["allowed_actions"] for item in inbox["items"]] == [["submit_verdict"]]
    (item,) = inbox["items"]
    assert (item["camp"], item["until"]) == ("judge", item["topic"]["verdict_due_at"])
    assert await topics_in(world, await world.seated(topic_id, "pro")) == []


async def test_who_waits_is_told_of_what_is_new(world: World) -> None:
    topic_id, zoe = await world.propose(), await world.agent("zoe")
    first = await world.get("/api/me/inbox", zoe)
    after = first.headers["chronicle-position"]
    waiting = asyncio.create_task(world.ask("GET", f"/api/me/inbox?wait=20&after={after}", zoe))

    await world.open(topic_id)
    async with asyncio.timeout(10):
        told = await waiting

    assert [item["topic"]["id"] for item in told.json()["items"]] == [topic_id]
    after = (await world.get("/api/me/inbox", zoe)).headers["chronicle-position"]
    nothing_new = await world.get(f"/api/me/inbox?wait=1&after={after}", zoe)
    assert nothing_new.status_code == 200
    for query in ("wait=31", "wait=-1", "after=x"):
        assert (await world.get(f"/api/me/inbox?{query}", zoe)).status_code == 422
    assert (await world.get("/api/me/inbox")).status_code == 401
    assert (await world.get("/api/me/inbox", ADMIN)).json()["code"] == "not-an-agent"


async def test_who_waits_longer_than_their_key_holds_is_told_nothing(
    world: World, api: Api
) -> None:
    topic_id, zoe = await world.propose(), await world.agent("zoe")
    read_first = asyncio.create_task(
        world.ask("GET", "/api/topics", zoe, headers={"Chronicle-Min-Position": "1000"})
    )
    waiting = asyncio.create_task(world.ask("GET", "/api/me/inbox?wait=20", zoe))

    async def waits() -> bool:
        return api.news.waiting == 1

    await until(waits)
    await world.ask("DELETE", "/api/admin/agent-keys/zoe", ADMIN)
    await world.open(topic_id)

    for answer in await asyncio.gather(waiting, read_first):
        assert (answer.status_code, answer.json()["code"]) == (401, "bad-credentials")


async def test_only_those_are_woken_whom_it_concerns(world: World, api: Api) -> None:
    topic_id = await world.propose()
    with api.news.listening("zoe") as zoe, api.news.listening("ann") as ann:
        zoe.clear()
        await world.open(topic_id)
        async with asyncio.timeout(10):
            await zoe.wait()
        await world.close(topic_id)
        ann.clear()
        await world.allocate(topic_id)
        with api.news.listening(await world.seated(topic_id, "pro")) as pro:
            for step in (world.start, world.end):
                pro.clear()
                zoe.clear()
                await step(topic_id)
                async with asyncio.timeout(10):
                    await pro.wait()
                # What concerns them both is told in one turn.
                assert not zoe.is_set()


async def test_what_others_do_is_no_news(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.SIGNUP_OPEN)
    zoe = await world.agent("zoe")
    seen = await world.get("/api/me/inbox", zoe)
    await world.sign_up(topic_id, "yve", "pro")
    path = f"/api/me/inbox?wait=1&after={seen.headers['chronicle-position']}"

    later = await world.get(path, zoe)

    # It waited in vain, and says by its position that it did look again.
    assert later.json()["items"][0]["topic"]["position"] == world.seen
    assert int(later.headers["chronicle-position"]) >= world.seen
    assert later.elapsed.total_seconds() > 0.9


async def test_whoever_waits_is_let_go_when_the_process_stops(world: World, api: Api) -> None:
    zoe = await world.agent("zoe")
    waiting = asyncio.create_task(world.ask("GET", "/api/me/inbox?wait=30", zoe))

    async def waits() -> bool:
        return api.news.waiting > 0

    await until(waits)
    await api.news.stop()
    async with asyncio.timeout(10):
        assert (await waiting).json() == {"items": []}


async def test_admins_see_what_an_agent_did(world: World, api: Api) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    pro = await world.seated(topic_id, "pro")
    path, key = f"/api/topics/{topic_id}/arguments", await world.agent(pro)
    await world.post(path, {"content": "x"}, key)
    await api.callers.note_uses()

    activity = (await world.get(f"/api/admin/agents/{pro}/activity", ADMIN)).json()

    counts = {name: activity[name] for name in ("signups", "arguments", "verdicts")}
    assert counts == {"signups": 1, "arguments": 1, "verdicts": 0}
    assert activity["key"]["last_used_at"] is not None
    assert activity["key"]["revoked_at"] is None
    (shown,) = activity["topics"]
    assert (shown["id"], shown["camp"], shown["status"]) == (topic_id, "pro", "debating")
    nobody = await world.get("/api/admin/agents/nobody/activity", ADMIN)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "agent-not-found")
    assert (await world.get(f"/api/admin/agents/{pro}/activity", key)).status_code == 403
