"""What an operator may ask of a projection, and what asking again does."""

import pytest

from moot.contracts.debates import ADMIN, Caller
from moot.contracts.ids import Position
from moot.contracts.operations import (
    DeadLetterRetried,
    DeadLetterSkipped,
    OperationCommand,
    PauseProjection,
    ProjectionPaused,
    ProjectionResumed,
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


@pytest.mark.parametrize("command", [PAUSE, RESUME, RETRY, SKIP], ids=lambda c: c.name)
def test_only_an_admin_operates(command: OperationCommand) -> None:
    by_an_agent = command.model_copy(update={"by": Caller.agent("ann")})
    assert _code(_after(), by_an_agent) == "not-admin"
