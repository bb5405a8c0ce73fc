"""What operators do to projections. Stream `chronicle.operation.<projection name>`.

The projection itself carries an operation out, when it meets it in the Chronicle.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints

from moot.contracts.debates import Caller
from moot.contracts.ids import SAFE_TOKEN, Position
from moot.contracts.shape import Frozen, Moment, Text

ProjectionName = Annotated[str, StringConstraints(pattern=SAFE_TOKEN)]
StreamLabel = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""One stream of events: `topic/<id>`."""


class ProjectionPaused(Frozen):
    """Applies nothing from here on, until it is resumed."""

    type: ClassVar[str] = "moot.operation.projection_paused.v1"
    projection: ProjectionName
    reason: Text
    paused_by: str
    paused_at: Moment


class ProjectionResumed(Frozen):
    type: ClassVar[str] = "moot.operation.projection_resumed.v1"
    projection: ProjectionName
    reason: Text
    resumed_by: str
    resumed_at: Moment


class DeadLetterRetried(Frozen):
    """The bad event at `position`, and what waits behind it in `key`, is to be applied again."""

    type: ClassVar[str] = "moot.operation.dead_letter_retried.v1"
    projection: ProjectionName
    key: Text
    position: Position
    reason: Text
    retried_by: str
    retried_at: Moment


class DeadLetterSkipped(Frozen):
    """The event at `position` never takes effect in the projection, in no rebuild either."""

    type: ClassVar[str] = "moot.operation.dead_letter_skipped.v1"
    projection: ProjectionName
    key: Text
    position: Position
    reason: Text
    skipped_by: str
    skipped_at: Moment


class KeyRebuilt(Frozen):
    """The rows of one stream are made anew, from that stream's events up to here."""

    type: ClassVar[str] = "moot.operation.key_rebuilt.v1"
    projection: ProjectionName
    key: StreamLabel
    reason: Text
    rebuilt_by: str
    rebuilt_at: Moment


class GenerationPromoted(Frozen):
    """From now on readers read this copy of the projection's tables."""

    type: ClassVar[str] = "moot.operation.generation_promoted.v1"
    projection: ProjectionName
    generation: PositiveInt
    reason: Text
    promoted_by: str
    promoted_at: Moment


class HoleAccepted(Frozen):
    """The Chronicle has nothing between `after` and `before`, and the projection goes on past it.

    `after` is the last position before the hole, 0 at the beginning; `before` the first after it.
    """

    type: ClassVar[str] = "moot.operation.hole_accepted.v1"
    projection: ProjectionName
    after: NonNegativeInt
    before: Position
    reason: Text
    accepted_by: str
    accepted_at: Moment


OperationEvent = (
    ProjectionPaused
    | ProjectionResumed
    | DeadLetterRetried
    | DeadLetterSkipped
    | KeyRebuilt
    | GenerationPromoted
    | HoleAccepted
)


class _Operation(Frozen):
    by: Caller
    projection: ProjectionName


class _Revocable(_Operation):
    """Takes nothing away for good, so nobody has to say why."""

    reason: Text = ""


class PauseProjection(_Revocable):
    name: Literal["pause_projection"] = "pause_projection"


class ResumeProjection(_Revocable):
    name: Literal["resume_projection"] = "resume_projection"


class RetryDeadLetter(_Revocable):
    name: Literal["retry_dead_letter"] = "retry_dead_letter"
    key: Text
    position: Position


class SkipDeadLetter(_Operation):
    """`operations_seen`: how many had been carried out when the dead letter was looked at.

    Refused (`looked-too-early`) if there are more: a retry may have applied the event.
    """

    name: Literal["skip_dead_letter"] = "skip_dead_letter"
    key: Text
    position: Position
    reason: Text
    operations_seen: int


class RebuildKey(_Revocable):
    name: Literal["rebuild_key"] = "rebuild_key"
    key: StreamLabel


class PromoteGeneration(_Revocable):
    """Obeyed when it is the last one that was promoted."""

    name: Literal["promote_generation"] = "promote_generation"
    generation: PositiveInt


class AcceptHole(_Operation):
    """Names the hole by the positions around it, as `HoleAccepted` does."""

    name: Literal["accept_hole"] = "accept_hole"
    after: NonNegativeInt
    before: Position
    reason: Text


OperationCommand = Annotated[
    PauseProjection
    | ResumeProjection
    | RetryDeadLetter
    | SkipDeadLetter
    | RebuildKey
    | PromoteGeneration
    | AcceptHole,
    Field(discriminator="name"),
]
