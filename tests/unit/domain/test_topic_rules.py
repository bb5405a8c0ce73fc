"""From proposal to verdict in time: stages, rounds, arguments, sign-ups, the draw."""

from datetime import datetime, timedelta

import pytest
from dirty_equals import IsPartialDict
from pydantic import ValidationError

from moot.contracts.debates import Camp
from moot.contracts.topic_commands import (
    AllocateCamps,
    CloseSignup,
    CommitDraw,
    EndDebate,
    FlagOverdue,
    OpenRound,
    OpenSignup,
    PostArgument,
    SignUp,
    StartDebate,
    TopicCommand,
    WithdrawSignup,
)
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateStarted,
    DrawCommitted,
    RoundOpened,
    TopicCancelled,
)
from moot.domain.deadlines import deadline_command
from moot.domain.draw import commitment
from moot.domain.topic_stages import signups_of
from tests.support.topics import (
    ALLOCATOR,
    CREATOR,
    DEBATERS,
    MICROSECOND,
    OUTSIDER,
    SCHEDULE,
    SECRET,
    TICKER,
    Given,
    allocated,
    allocating,
    debating,
    judging,
    proposed,
    with_signup_open,
    with_signups,
)


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
    while (deadline := given.deadline) is not None:
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
    while (deadline := given.deadline) is not None and deadline.due_at <= late:
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
    signups = signups_of(given.after(again, at).born)
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
    assert list(signups_of(back.born))[-1] == DEBATERS[0].id
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
