"""Signing up, and the draw that gives each camp its agent."""

from datetime import datetime

from moot.contracts.topic_commands import AllocateCamps, CommitDraw, SignUp, WithdrawSignup
from moot.contracts.topic_events import (
    CampsAllocated,
    DrawCommitted,
    SignedUp,
    SignupWithdrawn,
    TopicCancelled,
    TopicEvent,
)
from moot.domain.allocation import Shortfall, allocate
from moot.domain.draw import ALGORITHM, draw_evidence
from moot.domain.draw import commitment as commitment_to
from moot.domain.refusal import Refused
from moot.domain.topic_stages import (
    Allocating,
    Born,
    Cancelled,
    Created,
    SignupOpen,
    signups_of,
)


def sign_up(state: Born, command: SignUp, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-an-agent`, `signup-not-open`."""
    agent_id = command.by.agent_id
    earlier = signups_of(state).get(agent_id) if agent_id is not None else None
    if earlier is not None and earlier.signup.willing_camps == command.willing_camps:
        return []
    if agent_id is None:
        return Refused("not-an-agent", "only an agent signs up")
    if not _window_open(state, now):
        return _not_open(state)
    return [SignedUp(agent_id=agent_id, willing_camps=command.willing_camps, signed_up_at=now)]


def withdraw_signup(
    state: Born, command: WithdrawSignup, now: datetime
) -> list[TopicEvent] | Refused:
    """Refusals: `not-an-agent`, `signup-not-open`, `not-signed-up`."""
    agent_id = command.by.agent_id
    if agent_id is None:
        return Refused("not-an-agent", "only an agent withdraws its sign-up")
    if not _window_open(state, now):
        return _not_open(state)
    if agent_id not in signups_of(state):
        return Refused("not-signed-up", "this agent hasn't signed up")
    return [SignupWithdrawn(agent_id=agent_id, withdrawn_at=now)]


def _window_open(state: Born, now: datetime) -> bool:
    schedule = state.facts.schedule
    return (
        isinstance(state, SignupOpen) and schedule.signup_open_at <= now < schedule.signup_close_at
    )


def _not_open(state: Born) -> Refused:
    schedule = state.facts.schedule
    window = f"{schedule.signup_open_at.isoformat()} to {schedule.signup_close_at.isoformat()}"
    return Refused("signup-not-open", f"sign-up is open from {window}, unless cancelled")


def commit_draw(state: Born, command: CommitDraw, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-a-service`, `not-allocating`, `draw-already-committed`."""
    open_for_draw = isinstance(state, SignupOpen | Allocating)
    committed = state.commitment if open_for_draw else None
    if committed is not None and committed.commitment == command.commitment:
        return []
    if command.by.kind != "service":
        return Refused("not-a-service", "only the allocator commits to a draw")
    if not open_for_draw:
        return Refused("not-allocating", "a draw is committed to between sign-up and allocation")
    if committed is not None:
        return Refused("draw-already-committed", "the allocator has committed to another secret")
    return [
        DrawCommitted(
            commitment=command.commitment,
            algorithm=ALGORITHM,
            signups_before=len(state.signups),
            committed_at=now,
        )
    ]


def allocate_camps(
    state: Born, command: AllocateCamps, now: datetime
) -> list[TopicEvent] | Refused:
    """Fill the camps by the committed draw, or cancel the topic and say what was missing.

    Refusals: `not-a-service`, `not-allocating`, `draw-not-committed`, `draw-secret-mismatch`.
    """
    if _drew_with(state, command.secret):
        return []
    if command.by.kind != "service":
        return Refused("not-a-service", "only the allocator allocates camps")
    if not isinstance(state, Allocating):
        return Refused("not-allocating", "camps are allocated once, when sign-up has closed")
    if state.commitment is None:
        return Refused("draw-not-committed", "the allocator must commit to its secret first")
    secret = bytes.fromhex(command.secret)
    if commitment_to(secret) != state.commitment.commitment:
        return Refused("draw-secret-mismatch", "this isn't the secret that was committed to")
    return [_drawn(state, command, secret, now)]


def _drew_with(state: Born, secret: str) -> bool:
    if isinstance(state, Created | SignupOpen | Allocating):
        return False
    if isinstance(state, Cancelled):
        return state.draw is not None and state.draw.secret == secret
    return state.draw.secret == secret


def _drawn(
    state: Allocating, command: AllocateCamps, secret: bytes, now: datetime
) -> CampsAllocated | TopicCancelled:
    signups = [timed.signup for timed in state.signups.values()]
    draw = draw_evidence(secret, signups)
    result = allocate(signups, bytes.fromhex(draw.seed))
    if isinstance(result, Shortfall):
        return TopicCancelled(
            reason=result.reason, cancelled_by=command.by.auth_id, draw=draw, cancelled_at=now
        )
    return CampsAllocated(
        camps=result.camps, backfilled=result.backfilled, draw=draw, allocated_at=now
    )
