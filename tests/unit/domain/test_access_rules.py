"""Who reads a topic, and that nobody is told of an action that would be refused by stage."""

import pytest

from moot.contracts.debates import ADMIN, ANONYMOUS, CAMPS, Caller, Stage, Visibility
from moot.contracts.topic_commands import (
    AmendTopic,
    CancelTopic,
    PostArgument,
    ReplaceJudge,
    SetVisibility,
    SignUp,
    SubmitVerdict,
    TopicCommand,
    WithdrawSignup,
)
from moot.domain.access_rules import Standing, allowed_actions, may_read
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Unborn, camps_of, signups_of, stage_of
from tests.support.topics import AT_STAGE, CREATOR, DEBATERS, OUTSIDER, Given
from tests.unit.domain.test_topic_stages import INSIDE

CALLERS = (ADMIN, ANONYMOUS, CREATOR, OUTSIDER, *DEBATERS)


@pytest.mark.parametrize(
    ("caller", "reads"),
    [
        (ADMIN, True),
        (CREATOR, True),
        (Caller.agent("ann"), True),
        (Caller.service("announcer"), True),
        (OUTSIDER, False),
        (ANONYMOUS, False),
        (Caller(kind="person", id="ann"), False),
        (Caller(kind="person", id="creator"), False),
    ],
)
def test_a_private_topic_is_for_those_who_are_named(caller: Caller, *, reads: bool) -> None:
    assert may_read(Visibility.PRIVATE, CREATOR.auth_id, ["ann"], caller) is reads
    assert may_read(Visibility.PUBLIC, CREATOR.auth_id, [], caller)


def _spare(given: Given) -> str:
    seated = {seat.agent_id for seat in camps_of(_born(given))}
    return next(agent.id for agent in DEBATERS if agent.id not in seated)


def _born(given: Given):  # noqa: ANN202 a stage, whichever
    state = given.state
    assert not isinstance(state, Unborn)
    return state


def _command(given: Given, name: str, caller: Caller) -> TopicCommand:
    values: dict[str, TopicCommand] = {
        "amend_topic": AmendTopic(by=caller, title="Another"),
        "cancel_topic": CancelTopic(by=caller, reason="enough"),
        "set_visibility": SetVisibility(by=caller, visibility=Visibility.PRIVATE),
        "replace_judge": ReplaceJudge.model_validate({"by": caller, "agent_id": _spare(given)}),
        "sign_up": SignUp(by=caller, willing_camps=CAMPS),
        "withdraw_signup": WithdrawSignup(by=caller),
        "post_argument": PostArgument(by=caller, content="Because."),
        "submit_verdict": SubmitVerdict(by=caller, verdict={}, rationale="So."),
    }
    return values[name]


ACTIONS = (
    "amend_topic",
    "cancel_topic",
    "set_visibility",
    "replace_judge",
    "sign_up",
    "withdraw_signup",
    "post_argument",
    "submit_verdict",
)


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.auth_id)
@pytest.mark.parametrize("stage", Stage)
def test_allowed_is_what_would_be_accepted(stage: Stage, caller: Caller) -> None:
    given = AT_STAGE[stage]()
    state = _born(given)
    standing = Standing(
        stage=stage_of(state),
        visibility=state.facts.visibility,
        creator=state.facts.creator,
        invited_agents=state.facts.terms.invited_agents,
        camps=camps_of(state),
        signed_up=caller.id in signups_of(state),
    )
    accepted = {
        name
        for name in ACTIONS
        if _has_effect(given.decide(_command(given, name, caller), INSIDE[stage]))
    }
    assert set(allowed_actions(standing, caller)) == accepted


def _has_effect(decision: object) -> bool:
    return decision != [] and not isinstance(decision, Refused)
