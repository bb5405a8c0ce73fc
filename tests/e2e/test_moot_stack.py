"""What other teams' tests do with a Moot, by `moot.testing`."""

from datetime import UTC, datetime, timedelta

import pytest

from moot.client import ProblemError
from moot.contracts.artifacts import DeploymentObserved
from moot.contracts.catalogue import EVENTS
from moot.contracts.debates import CAMPS, Camp, Stage
from moot.contracts.topic_events import VerdictOverdue
from moot.testing import MootStack, MootTestingError, document, event_examples, fresh
from moot.testing.debates import COURSE
from moot.testing.failures import NeverCameError

OBSERVED = "moot.posture.deployment_observed.v1"
SHORT = timedelta(milliseconds=200)


async def test_an_event_that_is_published_can_be_read(moot_stack: MootStack) -> None:
    subject = f"posture/{fresh('windows')}"
    first = await moot_stack.publish(document(OBSERVED, subject))
    example = event_examples()[OBSERVED]["data"]
    second = await moot_stack.publish(DeploymentObserved.model_validate(example), subject=subject)
    await moot_stack.wait_for_projection(second)
    async with moot_stack.admin() as admin:
        stream_id = subject.partition("/")[2]
        listed = await admin.list_events(category="posture", stream_id=stream_id).all()
    assert [event.position for event in listed] == [first, second]


def test_a_test_that_is_not_async_does_the_same(moot_stack: MootStack) -> None:
    moot = moot_stack.blocking
    position = moot.publish(document(OBSERVED, f"posture/{fresh('windows')}"))
    moot.wait_for_projection(position, "publishing_v1")
    debate = moot.debate(Stage.SIGNUP_OPEN)
    opened = moot.announcement(debate.topic_id, "signup_opened")
    assert opened in moot.run(moot_stack.fabric_guild.messages(debate.topic_id))


@pytest.mark.parametrize("stage", COURSE)
async def test_a_debate_is_at_the_stage_that_was_asked_for(
    stage: Stage, moot_stack: MootStack
) -> None:
    debate = await moot_stack.debate(stage, title=f"Is it {stage}?")
    async with moot_stack.admin() as admin:
        topic = await admin.get_topic(debate.topic_id)
        drawn = [seat.camp for seat in topic.camps]
        arguments = await admin.list_arguments(debate.topic_id).all()
    assert (topic.status, topic.title) == (stage, f"Is it {stage}?")
    assert list(debate.seats) == drawn == (list(CAMPS) if debate.seats else [])
    assert bool(arguments) == (stage in {Stage.DEBATING, Stage.JUDGING, Stage.COMPLETED})


async def test_an_agent_takes_part_in_a_debate_that_is_ready_for_it(moot_stack: MootStack) -> None:
    debate = await moot_stack.debate(Stage.DEBATING, arguments={})
    async with moot_stack.admin() as admin:
        pro = admin.as_agent(debate.seats[Camp.PRO].key)
        posted = await pro.post_argument(debate.topic_id, "Bottled water is a dry well.")
    assert (posted.camp, posted.agent_id) == (Camp.PRO, debate.seats[Camp.PRO].id)


async def test_a_verdict_is_announced_to_the_guild(moot_stack: MootStack) -> None:
    debate = await moot_stack.debate(verdict={"winner": "con"})
    message = await moot_stack.fabric_guild.announcement(debate.topic_id, "verdict_submitted")
    assert "winner: con" in message.content
    with pytest.raises(NeverCameError, match=r"came: signup_opened, .*verdict_submitted"):
        await moot_stack.fabric_guild.announcement(debate.topic_id, "verdict_overdue", within=SHORT)


async def test_an_event_of_moots_own_is_told_like_any_other(moot_stack: MootStack) -> None:
    debate = await moot_stack.debate(Stage.JUDGING)
    now = datetime.now(UTC)
    overdue = VerdictOverdue(due_at=now, fired_at=now)
    position = await moot_stack.publish(overdue, subject=f"topic/{debate.topic_id}")
    await moot_stack.wait_for_projection(position, "debates_v1")
    async with moot_stack.admin() as admin:
        told = await admin.get_event(position)
    assert EVENTS[told.event.type] is VerdictOverdue
    assert told.event.subject == f"topic/{debate.topic_id}"


async def test_clients_are_of_new_agents_unless_they_are_named(moot_stack: MootStack) -> None:
    named = fresh("ada")
    async with moot_stack.client() as one, moot_stack.client(named) as ada:
        me = await ada.get_me()
        other = await one.get_me()
    assert me.auth_id == f"agent:{named}"
    assert other.auth_id.startswith("agent:agent-")


async def test_what_cannot_be_had_is_said(moot_stack: MootStack) -> None:
    observed = DeploymentObserved.model_validate(event_examples()[OBSERVED]["data"])
    decided = document(observed, "topic/x") | {"type": "moot.topic.signed_up.v1"}
    with pytest.raises(MootTestingError, match="belongs to a stream posture/<id>, not None"):
        await moot_stack.publish(observed)
    with pytest.raises(MootTestingError, match="no reads wait for 'debates_v2'"):
        await moot_stack.wait_for_projection(1, "debates_v2")
    with pytest.raises(MootTestingError, match="allocating is not among them"):
        await moot_stack.debate(Stage.ALLOCATING)
    with pytest.raises(ProblemError, match="not-ingestible"):
        await moot_stack.publish(decided)
    with pytest.raises(NeverCameError, match="the Chronicle ends at"):
        await moot_stack.wait_for_projection(1_000_000_000, within=SHORT)
