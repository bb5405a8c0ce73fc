"""The reporter against a real Moot: whichever `moot_stack` finds, see libs/testing/README.md."""

from datetime import UTC, datetime

import pytest
from drift_reporter import Action, Observation, action_after, concerns_us, report

from moot.testing import MootStack, event_examples, fresh

DESIRED, DEPLOYED = "bafkreidesired", "bafkreideployed"


async def test_drift_is_in_the_chronicle_once_however_often_it_is_reported(
    moot_stack: MootStack,
) -> None:
    artifact = fresh("windows-baseline")
    drift = Observation(artifact, "tenant-a", DESIRED, DEPLOYED, datetime.now(UTC))
    async with moot_stack.admin() as admin:
        issued = await admin.issue_publishing_key(fresh("drift-reporter"), ["posture"])
        publisher = admin.as_publisher(issued.key)
        position = await report(publisher, drift)
        assert await report(publisher, drift) == position
        await moot_stack.wait_for_projection(position)
        listed = await admin.list_events(category="posture", stream_id=artifact).all()
    assert [event.data["status"] for event in listed] == ["drifted"]


@pytest.mark.parametrize(("winner", "action"), [("pro", "roll back"), ("con", "keep")])
async def test_the_verdict_says_what_to_do(
    winner: str, action: Action, moot_stack: MootStack
) -> None:
    debate = await moot_stack.debate(title="Roll tenant-a back?", verdict={"winner": winner})
    async with moot_stack.client() as reader:
        assert await action_after(reader, debate.topic_id) == action


def test_the_guild_is_told_by_a_test_that_is_not_async(moot_stack: MootStack) -> None:
    debate = moot_stack.blocking.debate(verdict={"winner": "con"})
    message = moot_stack.blocking.announcement(debate.topic_id, "verdict_submitted")
    assert "winner: con" in message.content


def test_of_everything_that_may_be_told_two_events_concern_us() -> None:
    concern_us = {name for name, event in event_examples().items() if concerns_us(event)}
    assert len(concern_us) == 2
