"""What an operator may ask of a projection, and what asking again does."""

import pytest

from moot.contracts.debates import ADMIN, Caller
from moot.contracts.ids import Position
from moot.contracts.operations import (
    AcceptHole,
    DeadLetterRetried,
    DeadLetterSkipped,
    GenerationPromoted,
    HoleAccepted,
    KeyRebuilt,
    OperationCommand,
    PauseProjection,
    ProjectionPaused,
    ProjectionResumed,
    PromoteGeneration,
    RebuildKey,
    ResumeProjection,
    RetryDeadLetter,
    SkipDeadLetter,
)
from moot.domain import operations
from moot.domain.operations import Operated
from moot.domain.refusal import Refused
from tests.support.topics import NOON

NAME = "debates_v1"
PAUSE = PauseProjection(by=ADMIN, projection=NAME, reason="looking")
RESUME = ResumeProjection(by=ADMIN, projection=NAME)
RETRY = RetryDeadLetter(by=ADMIN, projection=NAME, key="topic/a", position=Position(7))
SKIP = SkipDeadLetter(
    by=ADMIN,
    projection=NAME,
    key="topic/a",
    position=Position(7),
    reason=" by mistake ",
    operations_seen=0,
)
REBUILD = RebuildKey(by=ADMIN, projection=NAME, key="topic/a", reason="changed by hand")
PROMOTE = PromoteGeneration(by=ADMIN, projection=NAME, generation=2)
ACCEPT = AcceptHole(by=ADMIN, projection=NAME, after=3, before=Position(6), reason=" an old trial ")


def _after(*commands: OperationCommand) -> Operated:
    state = operations.initial
    for command in commands:
        decision = operations.decide(state, command, NOON)
        assert not isinstance(decision, Refused), decision
        for event in decision:
            state = operations.evolve(state, event)
    return state


def _code(state: Operated, command: OperationCommand) -> str:
    decision = operations.decide(state, command, NOON)
    assert isinstance(decision, Refused)
    return decision.code


def test_pausing_what_is_paused_decides_nothing() -> None:
    decision = operations.decide(_after(), PAUSE, NOON)
    assert decision == [
        ProjectionPaused(projection=NAME, reason="looking", paused_by="admin:key", paused_at=NOON)
    ]
    assert operations.decide(_after(PAUSE), PAUSE, NOON) == []


def test_resuming_what_is_not_paused_decides_nothing() -> None:
    assert operations.decide(_after(), RESUME, NOON) == []
    decision = operations.decide(_after(PAUSE), RESUME, NOON)
    assert decision == [
        ProjectionResumed(projection=NAME, reason="", resumed_by="admin:key", resumed_at=NOON)
    ]
    assert operations.decide(_after(PAUSE, RESUME), RESUME, NOON) == []


def test_a_retry_is_a_new_wish_each_time() -> None:
    for state in (_after(), _after(RETRY)):
        decision = operations.decide(state, RETRY, NOON)
        assert isinstance(decision, list)
        assert isinstance(decision[0], DeadLetterRetried)


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_skipping_asks_for_a_reason(reason: str) -> None:
    assert _code(_after(), SKIP.model_copy(update={"reason": reason})) == "reason-required"


def test_what_is_skipped_stays_skipped() -> None:
    decision = operations.decide(_after(), SKIP, NOON)
    assert isinstance(decision, list)
    (skipped,) = decision
    assert isinstance(skipped, DeadLetterSkipped)
    assert (skipped.position, skipped.reason, skipped.skipped_by) == (7, "by mistake", "admin:key")
    assert operations.decide(_after(SKIP), SKIP, NOON) == []
    assert _code(_after(SKIP), RETRY) == "already-skipped"


def test_what_a_retry_may_have_applied_is_not_skipped_unseen() -> None:
    assert _code(_after(RETRY), SKIP) == "looked-too-early"
    assert operations.decide(_after(RETRY), SKIP.model_copy(update={"operations_seen": 1}), NOON)


def test_a_key_is_rebuilt_as_often_as_it_is_asked_for() -> None:
    for state in (_after(), _after(REBUILD)):
        decision = operations.decide(state, REBUILD, NOON)
        assert decision == [
            KeyRebuilt(
                projection=NAME,
                key="topic/a",
                reason="changed by hand",
                rebuilt_by="admin:key",
                rebuilt_at=NOON,
            )
        ]


def test_promoting_what_was_promoted_last_decides_nothing() -> None:
    decision = operations.decide(_after(), PROMOTE, NOON)
    assert decision == [
        GenerationPromoted(
            projection=NAME, generation=2, reason="", promoted_by="admin:key", promoted_at=NOON
        )
    ]
    assert operations.decide(_after(PROMOTE), PROMOTE, NOON) == []
    back = PROMOTE.model_copy(update={"generation": 1})
    assert operations.decide(_after(PROMOTE), back, NOON)
    assert operations.decide(_after(PROMOTE, back), PROMOTE, NOON), "forward again is a new wish"


def test_accepting_a_hole_that_was_accepted_decides_nothing() -> None:
    decision = operations.decide(_after(), ACCEPT, NOON)
    assert decision == [
        HoleAccepted(
            projection=NAME,
            after=3,
            before=Position(6),
            reason="an old trial",
            accepted_by="admin:key",
            accepted_at=NOON,
        )
    ]
    assert operations.decide(_after(ACCEPT), ACCEPT, NOON) == []
    larger = ACCEPT.model_copy(update={"before": Position(7)})
    assert operations.decide(_after(ACCEPT), larger, NOON), "exactly that hole, no other"


@pytest.mark.parametrize("before", [2, 3, 4])
def test_between_neighbours_there_is_no_hole(before: int) -> None:
    assert _code(_after(), ACCEPT.model_copy(update={"before": before})) == "no-hole"


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_accepting_a_hole_asks_for_a_reason(reason: str) -> None:
    assert _code(_after(), ACCEPT.model_copy(update={"reason": reason})) == "reason-required"


@pytest.mark.parametrize(
    "command", [PAUSE, RESUME, RETRY, SKIP, REBUILD, PROMOTE, ACCEPT], ids=lambda c: c.name
)
def test_only_an_admin_operates(command: OperationCommand) -> None:
    by_an_agent = command.model_copy(update={"by": Caller.agent("ann")})
    assert _code(_after(), by_an_agent) == "not-admin"
