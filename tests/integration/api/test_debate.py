"""A whole debate over HTTP; at each step the Chronicle and the Ops DB show it alike."""

from datetime import timedelta
from typing import Any

from moot.api.topic_views import topic_view_of_state
from moot.contracts.debates import ADMIN as AN_ADMIN
from moot.contracts.debates import ANONYMOUS, Caller, Stage
from moot.contracts.ids import TopicId
from moot.contracts.topic_commands import FlagOverdue, OpenRound
from moot.domain import topic
from moot.domain.draw import commitment
from moot.domain.topic_stages import Born
from tests.integration.api.world import ADMIN, NOBODY, World
from tests.support.topics import DEBATERS, SCHEDULE, SECRET, TICKER


async def same_view(world: World, topic_id: str) -> dict[str, Any]:
    """Hold what the state shows equal to what the rows show, whoever looks; return the topic."""
    folded = await world.dispatcher.load(topic, topic_id)
    assert isinstance(folded.state, Born)
    shown: dict[str, Any] = {}
    for caller, credentials in (
        (ANONYMOUS, NOBODY),
        (AN_ADMIN, ADMIN),
        (Caller.agent("creator"), await world.agent("creator")),
        *[(agent, await world.agent(agent.id)) for agent in DEBATERS],
    ):
        answer = await world.get(f"/api/topics/{topic_id}", credentials)
        assert answer.status_code == 200, answer.text
        view = topic_view_of_state(TopicId(topic_id), folded.state, folded.position, caller)
        assert answer.json() == view.model_dump(mode="json")
        shown = answer.json()
    return shown


async def test_a_debate_from_proposal_to_verdict(world: World) -> None:
    topic_id = await world.propose(rounds=2, verdict_schema_id="binary")
    created = await same_view(world, topic_id)
    assert created["status"] == "created"
    assert created["next_deadline"]["command"] == "open_signup"

    await world.reach(topic_id, Stage.SIGNUP_OPEN)
    assert (await same_view(world, topic_id))["status"] == "signup_open"
    await world.close(topic_id)
    assert (await same_view(world, topic_id))["status"] == "allocating"
    await world.allocate(topic_id)
    closed = await same_view(world, topic_id)
    assert [seat["camp"] for seat in closed["camps"]] == ["pro", "con", "judge"]
    await world.start(topic_id)
    assert (await same_view(world, topic_id))["round"]["round_no"] == 0

    said: list[Any] = []
    for camp in ("pro", "con", "judge"):
        answer = await world.post(
            f"/api/topics/{topic_id}/arguments",
            {"content": f"{camp} says ünïcode ✓"},
            await world.in_camp(topic_id, camp),
        )
        assert answer.status_code == 201, answer.text
        said.append(answer.json())
    await world.fire(topic_id, OpenRound(by=TICKER, round_no=1), SCHEDULE.round_opens_at(1, 2))
    assert (await same_view(world, topic_id))["round"]["round_no"] == 1
    transcript = await world.get(f"/api/topics/{topic_id}/arguments")
    assert transcript.json() == {"items": said, "next": None}


async def test_an_overdue_judge_is_replaced_and_the_other_one_decides(world: World) -> None:
    topic_id = await world.propose(verdict_schema_id="binary")
    await world.reach(topic_id, Stage.JUDGING)
    assert (await same_view(world, topic_id))["next_deadline"]["command"] == "flag_overdue"
    overdue_at = SCHEDULE.verdict_deadline
    await world.fire(topic_id, FlagOverdue(by=TICKER), overdue_at)
    assert (await same_view(world, topic_id))["next_deadline"] is None
    spare = await world.spare(topic_id)
    replaced = await world.post(f"/api/topics/{topic_id}/judge", {"agent_id": spare}, ADMIN)
    assert replaced.status_code == 200
    judging = await same_view(world, topic_id)
    assert judging["next_deadline"]["command"] == "flag_overdue"
    assert judging["camps"][2] == {"camp": "judge", "agent_id": spare}

    body = {
        "verdict": {"winner": "con", "confidence": 0.25},
        "rationale": "Because.",
        "token_cost": 2**53 - 1,
    }
    verdict = await world.post(f"/api/topics/{topic_id}/verdict", body, await world.agent(spare))
    assert verdict.status_code == 201, verdict.text
    assert (await same_view(world, topic_id))["status"] == "completed"
    assert (await world.get(f"/api/topics/{topic_id}/verdict")).json() == verdict.json()


async def test_a_cancelled_topic_is_shown_alike(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.SIGNUP_OPEN)
    answer = await world.post(f"/api/topics/{topic_id}/cancel", {"reason": "spam"}, ADMIN)
    assert answer.json() == (await world.get(f"/api/topics/{topic_id}", ADMIN)).json()
    assert (await same_view(world, topic_id))["cancelled_reason"] == "spam"


async def test_writes_answer_with_what_reads_show(world: World) -> None:
    creator = await world.agent("creator")
    topic_id = await world.propose(visibility="private", invited_agents=["ann"])
    amended = await world.ask(
        "PATCH",
        f"/api/topics/{topic_id}",
        creator,
        json={
            "title": "Ban them all",
            "invited_agents": ["bob"],
            "verdict_due_at": (SCHEDULE.debate_end_at + timedelta(days=1)).isoformat(),
            "announce_guild_base_url": "https://guild.example/",
            "announce_channel_id": "c1",
        },
    )
    assert amended.status_code == 200, amended.text
    assert amended.json()["invited_agents"] == ["ann", "bob"]
    assert amended.json() == (await world.get(f"/api/topics/{topic_id}", creator)).json()
    shown = await world.ask(
        "PUT", f"/api/topics/{topic_id}/visibility", ADMIN, json={"visibility": "public"}
    )
    assert shown.json() == (await world.get(f"/api/topics/{topic_id}", ADMIN)).json()
    await same_view(world, topic_id)


async def test_signing_up_again_keeps_the_place_and_answers_200(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.SIGNUP_OPEN)
    path = f"/api/topics/{topic_id}/signups"
    world.clock.at += timedelta(minutes=1)
    again = await world.sign_up(topic_id, "ann", "judge")
    assert again.status_code == 200
    assert again.json()["willing_camps"] == ["judge"]
    obeyed = await world.sign_up(topic_id, "ann", "judge")
    assert (obeyed.status_code, obeyed.json()) == (200, again.json())
    listed = (await world.get(path, await world.agent("ann"))).json()["items"]
    assert [one["agent_id"] for one in listed] == [agent.id for agent in DEBATERS]
    assert listed[0] == again.json()

    gone = await world.ask("DELETE", f"{path}/me", await world.agent("ann"))
    assert (gone.status_code, gone.content) == (204, b"")
    back = await world.sign_up(topic_id, "ann", "pro")
    assert back.status_code == 201
    listed = (await world.get(path, ADMIN)).json()["items"]
    assert listed[-1] == back.json()
    # Obeyed long ago, with other events after it: its own position all the same.
    first = await world.sign_up(topic_id, "bob", "pro", "con", "judge")
    assert first.json() == next(one for one in listed if one["agent_id"] == "bob")
    assert (await world.get(path)).json()["code"] == "credentials-required"


async def test_the_draw_can_be_checked_by_anyone(world: World) -> None:
    topic_id = await world.propose()
    nothing = await world.get(f"/api/topics/{topic_id}/allocation")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "allocation-not-found")
    await world.reach(topic_id, Stage.ALLOCATING)
    committed = (await world.get(f"/api/topics/{topic_id}/allocation")).json()
    assert committed["commitment"] == commitment(SECRET)
    kept_back = ("secret", "seed", "signups_hash", "verified")
    assert [committed[name] for name in kept_back] == [None] * len(kept_back)
    assert committed["signups"] == committed["camps"] == []
    await world.allocate(topic_id)
    await world.start(topic_id)
    await world.end(topic_id)
    drawn = (await world.get(f"/api/topics/{topic_id}/allocation")).json()
    spare = await world.spare(topic_id)
    await world.post(f"/api/topics/{topic_id}/judge", {"agent_id": spare}, ADMIN)
    shown = (await world.get(f"/api/topics/{topic_id}/allocation")).json()
    assert shown == drawn
    assert shown["verified"] is True
    assert shown["commitment"] == committed["commitment"]
    assert shown["commitment_late"] is False
    assert len(shown["signups"]) == len(DEBATERS)
