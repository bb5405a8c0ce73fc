"""How a topic ends: verdicts, other judges, cancelling, and what can be done when all is over."""

from datetime import timedelta

from moot.contracts.debates import ADMIN, Camp, Stage
from moot.contracts.topic_commands import (
    CancelTopic,
    FlagOverdue,
    ReplaceJudge,
    SetVisibility,
    SubmitVerdict,
)
from moot.contracts.topic_events import (
    DebateEnded,
    TopicCreated,
)
from moot.domain.deadlines import Deadline
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Judging, stage_of
from tests.support.topics import (
    CREATOR,
    DEBATERS,
    MICROSECOND,
    NOON,
    OUTSIDER,
    SCHEDULE,
    TICKER,
    cancelled,
    debating,
    judging,
    proposed,
    with_signup_open,
)


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
    assert given.deadline is None, "one verdict_overdue is enough"
    seated = {given.agent_in(camp).id for camp in Camp}
    spare = next(agent for agent in DEBATERS if agent.id not in seated)
    at = SCHEDULE.verdict_deadline + timedelta(hours=5)
    replace = ReplaceJudge.model_validate({"by": ADMIN, "agent_id": spare.id})
    replaced = given.after(replace, at)
    assert replaced.deadline == Deadline(at + timedelta(days=7), "flag_overdue")
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
    assert stage_of(given.after(cancel, NOON).born) is Stage.CANCELLED


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
