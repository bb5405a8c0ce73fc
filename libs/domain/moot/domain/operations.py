"""What operators do to a projection: events, fold, decide."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from moot.contracts.operations import (
    AcceptHole,
    DeadLetterRetried,
    DeadLetterSkipped,
    GenerationPromoted,
    HoleAccepted,
    KeyRebuilt,
    OperationCommand,
    OperationEvent,
    PauseProjection,
    ProjectionPaused,
    ProjectionResumed,
    PromoteGeneration,
    RebuildKey,
    ResumeProjection,
    RetryDeadLetter,
    SkipDeadLetter,
)
from moot.contracts.subjects import Category
from moot.domain.refusal import Refused

category: Category = "operation"


@dataclass(frozen=True, slots=True)
class Operated:
    """What was asked of a projection so far; `operations` counts all of it.

    `promoted` is the generation that was promoted last, None before the first; `holes` are the
    accepted ones, each by the positions around it.
    """

    operations: int = 0
    paused: bool = False
    skipped: frozenset[int] = frozenset()
    promoted: int | None = None
    holes: frozenset[tuple[int, int]] = frozenset()


initial = Operated()


def evolve(state: Operated, event: OperationEvent) -> Operated:
    counted = replace(state, operations=state.operations + 1)
    match event:
        case ProjectionPaused():
            return replace(counted, paused=True)
        case ProjectionResumed():
            return replace(counted, paused=False)
        case DeadLetterRetried() | KeyRebuilt():
            return counted
        case DeadLetterSkipped():
            return replace(counted, skipped=state.skipped | {event.position})
        case GenerationPromoted():
            return replace(counted, promoted=event.generation)
        case HoleAccepted():
            return replace(counted, holes=state.holes | {(event.after, event.before)})
        case _:
            assert_never(event)


def decide(
    state: Operated, command: OperationCommand, now: datetime
) -> list[OperationEvent] | Refused:
    """Return what happened.

    Refusals: `not-admin`, `reason-required`, `already-skipped`, `looked-too-early`, `no-hole`.
    """
    if not command.by.is_admin:
        return Refused("not-admin", "only an operator does that")
    match command:
        case PauseProjection():
            return [] if state.paused else [_paused(command, now)]
        case ResumeProjection():
            return [_resumed(command, now)] if state.paused else []
        case RetryDeadLetter():
            return _retry(state, command, now)
        case SkipDeadLetter():
            return _skip(state, command, now)
        case RebuildKey():
            return [_key_rebuilt(command, now)]
        case PromoteGeneration():
            return [] if state.promoted == command.generation else [_promoted(command, now)]
        case AcceptHole():
            return _accept(state, command, now)
        case _:
            assert_never(command)


def _paused(command: PauseProjection, now: datetime) -> ProjectionPaused:
    return ProjectionPaused(
        projection=command.projection,
        reason=command.reason,
        paused_by=command.by.auth_id,
        paused_at=now,
    )


def _resumed(command: ResumeProjection, now: datetime) -> ProjectionResumed:
    return ProjectionResumed(
        projection=command.projection,
        reason=command.reason,
        resumed_by=command.by.auth_id,
        resumed_at=now,
    )


def _retry(
    state: Operated, command: RetryDeadLetter, now: datetime
) -> list[OperationEvent] | Refused:
    if command.position in state.skipped:
        return Refused("already-skipped", f"the event at {command.position} was skipped for good")
    return [
        DeadLetterRetried(
            projection=command.projection,
            key=command.key,
            position=command.position,
            reason=command.reason,
            retried_by=command.by.auth_id,
            retried_at=now,
        )
    ]


def _skip(
    state: Operated, command: SkipDeadLetter, now: datetime
) -> list[OperationEvent] | Refused:
    if command.position in state.skipped:
        return []
    if not command.reason.strip():
        return Refused("reason-required", "say why the event is skipped: it never takes effect")
    # What a retry has applied meanwhile can't be undone, but a rebuild would leave it out.
    if command.operations_seen != state.operations:
        return Refused("looked-too-early", "something else was done to the projection: look again")
    return [
        DeadLetterSkipped(
            projection=command.projection,
            key=command.key,
            position=command.position,
            reason=command.reason.strip(),
            skipped_by=command.by.auth_id,
            skipped_at=now,
        )
    ]


def _key_rebuilt(command: RebuildKey, now: datetime) -> KeyRebuilt:
    return KeyRebuilt(
        projection=command.projection,
        key=command.key,
        reason=command.reason,
        rebuilt_by=command.by.auth_id,
        rebuilt_at=now,
    )


def _promoted(command: PromoteGeneration, now: datetime) -> GenerationPromoted:
    return GenerationPromoted(
        projection=command.projection,
        generation=command.generation,
        reason=command.reason,
        promoted_by=command.by.auth_id,
        promoted_at=now,
    )


def _accept(state: Operated, command: AcceptHole, now: datetime) -> list[OperationEvent] | Refused:
    if (command.after, command.before) in state.holes:
        return []
    if command.before - command.after < 2:  # noqa: PLR2004 there is no place between neighbours
        return Refused("no-hole", f"nothing lies between {command.after} and {command.before}")
    if not command.reason.strip():
        return Refused("reason-required", "say why it is right to go on without those events")
    return [
        HoleAccepted(
            projection=command.projection,
            after=command.after,
            before=command.before,
            reason=command.reason.strip(),
            accepted_by=command.by.auth_id,
            accepted_at=now,
        )
    ]
