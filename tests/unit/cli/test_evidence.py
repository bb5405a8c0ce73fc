"""Each of the demo's checks fails where what it claims isn't so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moot.cli.demo.check import Check
from moot.cli.demo.evidence import Evidence
from moot.cli.demo.example import ROUNDS
from moot.cli.demo.judgement import judge
from moot.cli.demo.play import Played
from moot.contracts.catalogue import Event
from moot.contracts.debates import CAMPS, Camp, CampSeat, Schedule, TopicTerms, Visibility
from moot.contracts.envelope import Recorded
from moot.contracts.ids import AgentId, Position, derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    DrawEvidence,
    RoundOpened,
    SignupClosed,
    SignupOpened,
    TopicCreated,
    VerdictSubmitted,
)
from moot.contracts.views import AllocationView, ArgumentView, VerdictView
from tests.support.debate_story import failures, small_debate
from tests.support.recording import envelope

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOON = timedelta(seconds=1)
LATE = timedelta(milliseconds=7)
TOPIC = derived_id("a played debate")
EXAMPLE = small_debate("evidence")
SEATS = {camp: AgentId(f"agent-{camp}") for camp in CAMPS}
HASH = "0" * 64


def events() -> list[Event]:
    schedule = Schedule(
        signup_open_at=NOON,
        signup_close_at=NOON + SOON,
        debate_start_at=NOON + SOON,
        debate_end_at=NOON + 2 * SOON,
    )
    draw = DrawEvidence(algorithm="test", secret=HASH, seed=HASH, signups_hash=HASH)
    seats = tuple(CampSeat(camp=camp, agent_id=agent) for camp, agent in SEATS.items())
    judgement = judge(EXAMPLE)
    rounds = [
        RoundOpened(round_no=number, closes_at=NOON, due_at=NOON, fired_at=NOON)
        for number in range(1, ROUNDS)
    ]
    return [
        TopicCreated(
            creator="agent:moderator",
            terms=TopicTerms(title="evidence", schedule=schedule),
            rounds=ROUNDS,
            verdict_schema_id="binary",
            visibility=Visibility.PUBLIC,
            created_at=NOON,
        ),
        SignupOpened(due_at=NOON, fired_at=NOON),
        SignupClosed(due_at=NOON, fired_at=NOON),
        CampsAllocated(camps=seats, backfilled=(), draw=draw, allocated_at=NOON),
        DebateStarted(closes_at=NOON, due_at=NOON, fired_at=NOON),
        *rounds,
        DebateEnded(verdict_due_at=NOON, due_at=NOON, fired_at=NOON),
        VerdictSubmitted(
            judge_id=SEATS[Camp.JUDGE],
            verdict=judgement.verdict,
            rationale=judgement.rationale,
            token_cost=None,
            submitted_at=NOON,
        ),
    ]


def recorded(events: list[Event], *, late: timedelta = LATE) -> list[Recorded]:
    stream = StreamName("topic", TOPIC)
    return [
        Recorded(Position(number), NOON + late, envelope(stream, event, number))
        for number, event in enumerate(events, start=1)
    ]


def transcript() -> list[ArgumentView]:
    return [
        ArgumentView(
            id=derived_id("argument", argument.text),
            camp=argument.side,
            agent_id=SEATS[argument.side],
            round_no=round_no,
            content=argument.content,
            posted_at=NOON,
            position=argument.turn,
        )
        for round_no, arguments in enumerate(EXAMPLE.in_rounds())
        for argument in arguments
    ]


def messages(history: list[Recorded]) -> list[dict[str, Any]]:
    told = (SignupOpened, CampsAllocated, DebateStarted, VerdictSubmitted)
    return [
        {"idempotencyKey": record.envelope.id, "timesReceived": 1}
        for record in history
        if isinstance(record.event, told)
    ]


def a_draw() -> AllocationView:
    return AllocationView(
        algorithm="test",
        commitment=HASH,
        committed_at=NOON,
        commitment_late=False,
        secret=HASH,
        seed=HASH,
        signups_hash=HASH,
        signups=(),
        camps=(),
        backfilled=(),
        cancelled_reason=None,
        verified=True,
    )


def good() -> Evidence:
    history = recorded(events())
    judgement = judge(EXAMPLE)
    return Evidence(
        example=EXAMPLE,
        played=Played(TOPIC, SEATS, judgement),
        history=history,
        transcript=transcript(),
        draw=a_draw(),
        verdict=VerdictView(
            verdict=judgement.verdict,
            rationale=judgement.rationale,
            judge_id=SEATS[Camp.JUDGE],
            token_cost=None,
            submitted_at=NOON,
            position=9,
        ),
        messages=messages(history),
    )


def only_failure(checks: list[Check]) -> str:
    (failure,) = failures(checks)
    return failure


def test_a_debate_without_fault_passes() -> None:
    assert failures(good().checks()) == []
    assert failures(good().checks_after_faults()) == []


@pytest.mark.parametrize("late", [timedelta(milliseconds=101), timedelta(milliseconds=-1)])
def test_late_or_early_is_not_on_time(late: timedelta) -> None:
    assert "100 ms" in only_failure(replace(good(), history=recorded(events(), late=late)).checks())


def test_late_is_forgiven_after_faults_and_early_is_not() -> None:
    late = replace(good(), history=recorded(events(), late=timedelta(seconds=5)))
    early = replace(good(), history=recorded(events(), late=timedelta(milliseconds=-1)))
    assert failures(late.checks_after_faults()) == []
    assert "before its time" in only_failure(early.checks_after_faults())


def test_a_stage_that_comes_twice_is_seen() -> None:
    twice = recorded([*events()[:3], *events()[2:]])
    evidence = replace(good(), history=twice, messages=messages(twice))
    assert "every stage" in only_failure(evidence.checks())


def test_a_lost_doubled_or_swapped_argument_is_seen() -> None:
    said = transcript()
    for wrong in (said[1:], [said[0], *said], [said[1], said[0], *said[2:]]):
        evidence = replace(good(), transcript=wrong)
        assert not evidence.transcript_is_the_debate().held


def test_an_argument_in_another_round_is_seen() -> None:
    said = transcript()
    moved = [*said[:3], said[3].model_copy(update={"round_no": 1}), *said[4:]]
    assert "in its round" in only_failure(replace(good(), transcript=moved).checks())


def test_a_lost_or_swapped_announcement_is_seen() -> None:
    told = list(good().messages)
    for wrong in (told[1:], [*told, told[0]], [told[1], told[0], *told[2:]]):
        evidence = replace(good(), messages=wrong)
        assert "Fabric" in only_failure(evidence.checks())


def test_a_draw_that_cannot_be_recomputed_is_seen() -> None:
    unverified = a_draw().model_copy(update={"verified": False})
    assert "recomputed" in only_failure(replace(good(), draw=unverified).checks())


@pytest.mark.parametrize("changes", [{"commitment_late": True}, {"commitment": None}])
def test_a_late_or_missing_commitment_is_seen(changes: dict[str, Any]) -> None:
    late = a_draw().model_copy(update=changes)
    assert "committed to" in only_failure(replace(good(), draw=late).checks())


def test_another_verdict_is_seen() -> None:
    stored = good().verdict
    assert stored is not None
    for other in (stored.model_copy(update={"rationale": "because"}), None):
        assert "verdict" in only_failure(replace(good(), verdict=other).checks())
