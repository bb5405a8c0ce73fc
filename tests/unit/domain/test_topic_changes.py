"""Proposing and amending a topic, and who it is there for."""

from datetime import datetime, timedelta

import pytest

from moot.contracts.debates import ADMIN, ANONYMOUS, Caller, Camp, Schedule
from moot.contracts.topic_commands import (
    AllocateCamps,
    AmendTopic,
    CancelTopic,
    CommitDraw,
    OpenSignup,
    ProposeTopic,
    SetVisibility,
    SignUp,
    SubmitVerdict,
    TopicCommand,
)
from moot.contracts.topic_events import (
    TopicAmended,
)
from moot.domain.deadlines import Deadline
from moot.domain.draw import commitment
from moot.domain.refusal import Refused
from tests.support.topics import (
    CREATOR,
    DEBATERS,
    MICROSECOND,
    NOON,
    OUTSIDER,
    SCHEDULE,
    SECRET,
    TICKER,
    Given,
    proposed,
    with_signup_open,
)

CLOSES_AS_IT_OPENS = SCHEDULE.model_copy(update={"signup_close_at": SCHEDULE.signup_open_at})


@pytest.mark.parametrize(
    "command",
    [
        OpenSignup(by=CREATOR),
        CommitDraw(by=CREATOR, commitment=commitment(SECRET)),
        AllocateCamps(by=ADMIN, secret=SECRET.hex()),
    ],
)
def test_only_services_do_what_services_do(command: TopicCommand) -> None:
    assert proposed().refuses(command, SCHEDULE.signup_open_at) == "not-a-service"


# Amending


def test_amending_carries_old_and_new_and_moves_the_deadline() -> None:
    later = SCHEDULE.signup_open_at + timedelta(minutes=5)
    given = proposed().after(
        AmendTopic(by=CREATOR, signup_open_at=later, title="Ban them all"), NOON
    )
    event = given.history[-1]
    assert isinstance(event, TopicAmended)
    assert event.before.schedule == SCHEDULE
    assert event.after.title == "Ban them all"
    assert given.deadline == Deadline(later, "open_signup")
    assert given.refuses(OpenSignup(by=TICKER), SCHEDULE.signup_open_at) == "not-due"


@pytest.mark.parametrize(
    ("changes", "at", "code"),
    [
        ({"signup_open_at": NOON}, NOON, "times-out-of-order"),
        ({"signup_open_at": SCHEDULE.signup_close_at}, NOON, "times-out-of-order"),
        (
            {"signup_open_at": SCHEDULE.signup_close_at - MICROSECOND},
            SCHEDULE.signup_open_at,
            "too-late-to-amend",
        ),
        ({"title": " "}, NOON, "title-required"),
        ({"title": "x" * 201}, NOON, "title-too-long"),
        ({"summary": "é" * 4_097}, NOON, "summary-too-long"),
        ({"title": "New"}, SCHEDULE.signup_close_at, "too-late-to-amend"),
        ({"title": "New", "by": OUTSIDER}, NOON, "not-creator"),
        ({"title": "New", "by": ADMIN}, NOON, "not-creator"),
    ],
)
def test_amending_has_its_limits(changes: dict[str, object], at: datetime, code: str) -> None:
    command = AmendTopic.model_validate({"by": CREATOR} | changes)
    assert with_signup_open().refuses(command, at) == code


def test_the_default_verdict_time_follows_an_amended_end() -> None:
    end = SCHEDULE.debate_end_at + timedelta(days=1)
    given = proposed().after(AmendTopic(by=CREATOR, debate_end_at=end), NOON)
    assert given.born.facts.schedule.verdict_deadline == end + timedelta(days=7)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": "  "}, "title-required"),
        ({"title": "x" * 201}, "title-too-long"),
        ({"summary": "x" * 8_193}, "summary-too-long"),
        ({"verdict_schema_id": "haiku"}, "unknown-verdict-schema"),
        ({"by": ANONYMOUS}, "not-an-agent"),
        ({"schedule": CLOSES_AS_IT_OPENS}, "times-out-of-order"),
    ],
)
def test_a_proposal_is_checked(changes: dict[str, object], code: str) -> None:
    values = {"by": CREATOR, "title": "Ban it", "schedule": SCHEDULE} | changes
    assert Given().refuses(ProposeTopic.model_validate(values), NOON) == code


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("signup_close_at", SCHEDULE.debate_start_at, True),
        ("signup_close_at", SCHEDULE.debate_start_at + MICROSECOND, False),
        ("debate_end_at", SCHEDULE.debate_start_at, False),
        ("verdict_due_at", SCHEDULE.debate_end_at, False),
        ("verdict_due_at", SCHEDULE.debate_end_at + MICROSECOND, True),
    ],
)
def test_times_are_in_order(name: str, value: datetime, *, accepted: bool) -> None:
    schedule = Schedule.model_validate(SCHEDULE.model_dump() | {name: value})
    command = ProposeTopic(by=CREATOR, title="Ban it", schedule=schedule)
    assert isinstance(Given().decide(command, NOON), Refused) is not accepted


# Private topics


@pytest.mark.parametrize("caller", [ANONYMOUS, OUTSIDER, Caller(kind="person", id="eve")])
def test_a_private_topic_is_not_there_for_outsiders(caller: Caller) -> None:
    given = with_signup_open(visibility="private", invited_agents=["ann"])
    at = SCHEDULE.signup_open_at
    for command in (
        CancelTopic(by=caller, reason="no"),
        SignUp(by=caller, willing_camps=(Camp.PRO,)),
        AmendTopic(by=caller, title="Mine"),
        SubmitVerdict(by=caller, verdict={}, rationale="x"),
        SetVisibility.model_validate({"by": caller, "visibility": "private"}),
    ):
        assert given.refuses(command, at) == "topic-not-found"


def test_the_invited_sign_up_to_a_private_topic_and_the_creator_invites_more() -> None:
    given = with_signup_open(visibility="private", invited_agents=["ann"])
    at = SCHEDULE.signup_open_at
    wish = SignUp(by=OUTSIDER, willing_camps=(Camp.PRO,))
    assert given.after(SignUp(by=DEBATERS[0], willing_camps=(Camp.PRO,)), at)
    assert given.refuses(wish, at) == "topic-not-found"
    invited = given.after(
        AmendTopic.model_validate({"by": CREATOR, "invited_agents": ["outsider"]}), at
    )
    assert invited.after(wish, at)


def test_nothing_is_asked_of_a_topic_that_was_never_proposed() -> None:
    assert Given().refuses(OpenSignup(by=TICKER), NOON) == "topic-not-found"


# The end
