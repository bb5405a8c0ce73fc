"""The rules of `spec` that the table of stages doesn't show: times, order of checks, limits."""

from datetime import datetime, timedelta

import pytest
from dirty_equals import IsPartialDict
from pydantic import ValidationError

from moot.contracts.debates import ADMIN, ANONYMOUS, Caller, Camp, Schedule, Stage
from moot.contracts.topic_commands import (
    AllocateCamps,
    AmendTopic,
    CancelTopic,
    CloseSignup,
    CommitDraw,
    EndDebate,
    FlagOverdue,
    OpenRound,
    OpenSignup,
    PostArgument,
    ProposeTopic,
    ReplaceJudge,
    SetVisibility,
    SignUp,
    StartDebate,
    SubmitVerdict,
    TopicCommand,
    WithdrawSignup,
)
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    DrawCommitted,
    RoundOpened,
    TopicAmended,
    TopicCancelled,
    TopicCreated,
)
from moot.domain.deadlines import Deadline, deadline_command, next_deadline
from moot.domain.draw import commitment
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Born, Judging, Unborn, signups_of, stage_of, timetable_of
from tests.support.topics import (
    ALLOCATOR,
    CREATOR,
    DEBATERS,
    NOON,
    OUTSIDER,
    SCHEDULE,
    SECRET,
    TICKER,
    Given,
    allocated,
    allocating,
    cancelled,
    debating,
    judging,
    proposed,
    with_signup_open,
    with_signups,
)

MICROSECOND = timedelta(microseconds=1)
CLOSES_AS_IT_OPENS = SCHEDULE.model_copy(update={"signup_close_at": SCHEDULE.signup_open_at})


def _born(given: Given) -> Born:
    state = given.state
    assert not isinstance(state, Unborn)
    return state


def _deadline(given: Given) -> Deadline | None:
    return next_deadline(timetable_of(_born(given)))


@pytest.mark.parametrize(
    ("given", "command", "due_at"),
    [
        (proposed(), OpenSignup(by=TICKER), SCHEDULE.signup_open_at),
        (with_signup_open(), CloseSignup(by=TICKER), SCHEDULE.signup_close_at),
        (allocated(), StartDebate(by=TICKER), SCHEDULE.debate_start_at),
        (debating(), EndDebate(by=TICKER), SCHEDULE.debate_end_at),
        (
            debating(rounds=3),
            OpenRound(by=TICKER, round_no=1),
            SCHEDULE.debate_start_at + timedelta(hours=1),
        ),
        (judging(), FlagOverdue(by=TICKER), SCHEDULE.verdict_deadline),
    ],
)
def test_a_time_reached_exactly_counts_as_reached(
    given: Given, command: TopicCommand, due_at: datetime
) -> None:
    assert given.refuses(command, due_at - MICROSECOND) == "not-due"
    event = given.after(command, due_at).history[-1]
    assert event.model_dump() == IsPartialDict(due_at=due_at, fired_at=due_at)


def test_a_topic_in_the_past_walks_through_every_stage_it_owes_and_is_cancelled_unasked() -> None:
    given, late = proposed(rounds=3), SCHEDULE.verdict_deadline + timedelta(days=30)
    walked: list[str] = []
    while (deadline := _deadline(given)) is not None:
        walked.append(deadline.command)
        command = deadline_command(deadline, TICKER)
        assert not hasattr(command, "event_id")
        given = given.after(command, late)  # type: ignore[arg-type]
    given = given.after(CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET)), late)
    given = given.after(AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()), late)
    assert walked == ["open_signup", "close_signup"]
    assert isinstance(given.history[-1], TopicCancelled)
    assert given.history[-1].reason.startswith("insufficient signups: 0 of 3 camps")


def test_a_late_ticker_opens_every_round_in_order() -> None:
    given, late = debating(rounds=4), SCHEDULE.debate_end_at + timedelta(days=1)
    walked: list[tuple[str, int | None]] = []
    while (deadline := _deadline(given)) is not None and deadline.due_at <= late:
        walked.append((deadline.command, deadline.round_no))
        given = given.after(deadline_command(deadline, TICKER), late)  # type: ignore[arg-type]
    rounds = [("open_round", 1), ("open_round", 2), ("open_round", 3)]
    assert walked == [*rounds, ("end_debate", None)]


def test_rounds_cut_the_debate_into_equal_parts() -> None:
    given = debating(rounds=3)
    started = given.history[-1]
    assert isinstance(started, DebateStarted)
    assert started.closes_at == SCHEDULE.debate_start_at + timedelta(hours=1)
    second = given.after(OpenRound(by=TICKER, round_no=1), started.closes_at).history[-1]
    assert isinstance(second, RoundOpened)
    assert second.closes_at == SCHEDULE.debate_start_at + timedelta(hours=2)
    assert given.refuses(OpenRound(by=TICKER, round_no=2), SCHEDULE.debate_end_at) == "not-due"


def test_an_argument_belongs_to_the_round_that_is_open() -> None:
    given = debating(rounds=3).after(
        OpenRound(by=TICKER, round_no=1), SCHEDULE.debate_start_at + timedelta(hours=1)
    )
    post = PostArgument(by=given.agent_in("con"), content="Hear me.")
    event = given.after(post, SCHEDULE.debate_end_at - MICROSECOND).history[-1]
    assert event.model_dump() == IsPartialDict(round_no=1, camp=Camp.CON)
    assert given.refuses(post, SCHEDULE.debate_end_at) == "debate-not-open"


def test_the_judge_may_speak_too() -> None:
    given = debating()
    post = PostArgument(by=given.agent_in("judge"), content="Please define 'ban'.")
    event = given.after(post, SCHEDULE.debate_start_at).history[-1]
    assert event.model_dump() == IsPartialDict(camp=Camp.JUDGE)


@pytest.mark.parametrize(
    ("content", "code"),
    [(" \n\t", "content-empty"), ("é" * 16_385, "content-too-long")],
)
def test_content_is_measured_in_bytes(content: str, code: str) -> None:
    given = debating()
    post = PostArgument(by=given.agent_in("pro"), content=content)
    assert given.refuses(post, SCHEDULE.debate_start_at) == code


def test_content_of_just_the_limit_is_accepted() -> None:
    given = debating()
    post = PostArgument(by=given.agent_in("pro"), content="é" * 16_384)
    assert given.after(post, SCHEDULE.debate_start_at)


def test_nul_is_no_text() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        PostArgument(by=CREATOR, content="a\x00b")


def test_signing_up_again_replaces_the_camps_and_keeps_the_place() -> None:
    given = with_signups(with_signup_open())
    at = SCHEDULE.signup_close_at - timedelta(minutes=1)
    again = SignUp(by=DEBATERS[0], willing_camps=(Camp.JUDGE,))
    signups = signups_of(_born(given.after(again, at)))
    assert list(signups) == [agent.id for agent in DEBATERS]
    first = next(iter(signups.values()))
    assert first.signup.willing_camps == (Camp.JUDGE,)
    assert first.signed_up_at == SCHEDULE.signup_open_at


def test_withdrawing_gives_up_the_place() -> None:
    given = with_signups(with_signup_open())
    at = SCHEDULE.signup_close_at - timedelta(minutes=1)
    back = given.after(WithdrawSignup(by=DEBATERS[0]), at).after(
        SignUp(by=DEBATERS[0], willing_camps=(Camp.PRO,)), at
    )
    assert list(signups_of(_born(back)))[-1] == DEBATERS[0].id
    assert back.refuses(WithdrawSignup(by=OUTSIDER), at) == "not-signed-up"


def test_sign_up_keeps_to_its_window_even_when_the_ticker_is_late() -> None:
    given = with_signup_open()
    wish = SignUp(by=OUTSIDER, willing_camps=(Camp.PRO,))
    assert given.refuses(wish, SCHEDULE.signup_close_at) == "signup-not-open"
    assert given.after(wish, SCHEDULE.signup_close_at - MICROSECOND)


def test_willing_camps_are_listed_once_and_in_order() -> None:
    wish = SignUp(by=OUTSIDER, willing_camps=(Camp.JUDGE, Camp.PRO, Camp.JUDGE))
    assert wish.willing_camps == (Camp.PRO, Camp.JUDGE)
    with pytest.raises(ValidationError):
        SignUp(by=OUTSIDER, willing_camps=())


def test_a_commitment_after_the_first_signup_shows_as_late() -> None:
    opened = proposed().after(OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
    late = with_signups(opened).after(
        CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET)), SCHEDULE.signup_close_at
    )
    event = late.history[-1]
    assert isinstance(event, DrawCommitted)
    assert event.signups_before == len(DEBATERS)


def test_nothing_is_drawn_without_a_commitment_or_by_another_secret() -> None:
    uncommitted = proposed().after(OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
    closed = uncommitted.after(CloseSignup(by=TICKER), SCHEDULE.signup_close_at)
    draw = AllocateCamps(by=ALLOCATOR, secret=SECRET.hex())
    assert closed.refuses(draw, SCHEDULE.signup_close_at) == "draw-not-committed"
    other = AllocateCamps(by=ALLOCATOR, secret="11" * 32)
    assert allocating().refuses(other, SCHEDULE.signup_close_at) == "draw-secret-mismatch"


def test_the_draw_gives_three_agents_three_camps() -> None:
    event = allocated().history[-1]
    assert isinstance(event, CampsAllocated)
    assert [seat.camp for seat in event.camps] == [Camp.PRO, Camp.CON, Camp.JUDGE]
    assert len({seat.agent_id for seat in event.camps}) == 3


def test_two_signups_cancel_with_what_was_missing() -> None:
    given = allocating(DEBATERS[:2]).after(
        AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()), SCHEDULE.signup_close_at
    )
    event = given.history[-1]
    assert isinstance(event, TopicCancelled)
    assert event.reason.startswith("insufficient signups: 2 of 3 camps could be filled")
    assert event.draw is not None, "the draw that failed can be checked too"


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
    assert _deadline(given) == Deadline(later, "open_signup")
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
    assert _born(given).facts.schedule.verdict_deadline == end + timedelta(days=7)


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


def test_a_verdict_waits_for_the_end_and_for_a_reason() -> None:
    given = judging(verdict_schema_id="binary")
    judge, at = given.agent_in("judge"), SCHEDULE.debate_end_at
    good = SubmitVerdict(by=judge, verdict={"winner": "pro", "confidence": 1}, rationale="So.")
    early = debating(verdict_schema_id="binary")
    assert early.refuses(good, at - MICROSECOND) == "too-early"
    assert early.refuses(good, at) == "debate-not-open"
    assert given.refuses(good.model_copy(update={"rationale": " "}), at) == "rationale-required"
    long = good.model_copy(update={"rationale": "x" * 32_769})
    assert given.refuses(long, at) == "rationale-too-long"
    other = good.model_copy(update={"by": given.agent_in("pro")})
    assert given.refuses(other, at) == "not-judge"
    assert isinstance(given.after(good, at).history[-1].model_dump()["verdict"], dict)


def test_a_refused_verdict_names_every_failing_pointer() -> None:
    given = judging(verdict_schema_id="claim-resolution")
    verdict = {"claims": [{"claim": "A", "resolution": "upheld"}, {"claim": "", "resolution": "?"}]}
    decision = given.decide(
        SubmitVerdict(by=given.agent_in("judge"), verdict=verdict, rationale="So."),
        SCHEDULE.debate_end_at,
    )
    assert isinstance(decision, Refused)
    assert {problem.pointer for problem in decision.errors} == {
        "/claims/1/claim",
        "/claims/1/resolution",
    }


def test_a_verdict_over_the_limit_is_too_long() -> None:
    given = judging()
    verdict = SubmitVerdict(
        by=given.agent_in("judge"), verdict={"text": "x" * 262_144}, rationale="So."
    )
    assert given.refuses(verdict, SCHEDULE.debate_end_at) == "verdict-too-long"


def test_a_replaced_judge_gets_as_long_as_the_first() -> None:
    given = judging().after(FlagOverdue(by=TICKER), SCHEDULE.verdict_deadline)
    assert _deadline(given) is None, "one verdict_overdue is enough"
    seated = {given.agent_in(camp).id for camp in Camp}
    spare = next(agent for agent in DEBATERS if agent.id not in seated)
    at = SCHEDULE.verdict_deadline + timedelta(hours=5)
    replace = ReplaceJudge.model_validate({"by": ADMIN, "agent_id": spare.id})
    replaced = given.after(replace, at)
    assert _deadline(replaced) == Deadline(at + timedelta(days=7), "flag_overdue")
    assert replaced.agent_in("judge") == spare
    assert replaced.obeyed(replace, at)


def test_a_judge_is_replaced_only_by_a_signed_up_agent_without_a_camp() -> None:
    given, at = judging(), SCHEDULE.debate_end_at
    pro = given.agent_in("pro").id
    for agent_id, code in ((pro, "already-in-camp"), ("stranger", "not-signed-up")):
        command = ReplaceJudge.model_validate({"by": ADMIN, "agent_id": agent_id})
        assert given.refuses(command, at) == code
    by_creator = ReplaceJudge.model_validate({"by": CREATOR, "agent_id": "stranger"})
    assert given.refuses(by_creator, at) == "not-admin"


def test_verdict_and_cancel_at_one_instant_leave_one_winner() -> None:
    given, at = judging(), SCHEDULE.debate_end_at
    verdict = SubmitVerdict(by=given.agent_in("judge"), verdict={}, rationale="So.")
    cancel = CancelTopic(by=ADMIN, reason="withdrawn")
    assert given.after(verdict, at).refuses(cancel, at) == "too-late-to-cancel"
    assert given.after(cancel, at).refuses(verdict, at) == "debate-not-open"


def test_the_creator_cancels_until_sign_up_closes() -> None:
    given = with_signup_open()
    cancel = CancelTopic(by=CREATOR, reason="wrong question")
    assert given.refuses(cancel, SCHEDULE.signup_close_at) == "too-late-to-cancel"
    assert given.refuses(CancelTopic(by=OUTSIDER, reason="x"), NOON) == "not-creator"
    assert given.refuses(CancelTopic(by=CREATOR, reason=" "), NOON) == "reason-required"
    assert stage_of(_born(given.after(cancel, NOON))) is Stage.CANCELLED


def test_visibility_can_be_set_even_when_all_is_over() -> None:
    command = SetVisibility.model_validate({"by": ADMIN, "visibility": "private"})
    assert cancelled().after(command, NOON)
    refused = SetVisibility.model_validate({"by": CREATOR, "visibility": "private"})
    assert cancelled().refuses(refused, NOON) == "not-admin"


def test_events_say_who_and_when() -> None:
    created = proposed().history[0]
    assert isinstance(created, TopicCreated)
    assert (created.creator, created.created_at) == ("agent:creator", NOON)
    ended = judging().history[-1]
    assert isinstance(ended, DebateEnded)
    assert isinstance(judging().state, Judging)
    assert ended.verdict_due_at == SCHEDULE.verdict_deadline
