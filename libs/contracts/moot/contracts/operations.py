"""What operators do to projections. Stream `chronicle.operation.<projection name>`.

The projection itself carries an operation out, when it meets it in the Chronicle.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from moot.contracts.debates import Caller
from moot.contracts.ids import SAFE_TOKEN, Position
from moot.contracts.shape import Frozen, Moment, Text

ProjectionName = Annotated[str, StringConstraints(pattern=SAFE_TOKEN)]


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


OperationEvent = ProjectionPaused | ProjectionResumed | DeadLetterRetried | DeadLetterSkipped


class PauseProjection(Frozen):
    name: Literal["pause_projection"] = "pause_projection"
    by: Caller
    projection: ProjectionName
    reason: Text = ""


class ResumeProjection(Frozen):
    name: Literal["resume_projection"] = "resume_projection"
    by: Caller
    projection: ProjectionName
    reason: Text = ""


class RetryDeadLetter(Frozen):
    name: Literal["retry_dead_letter"] = "retry_dead_letter"
    by: Caller
    projection: ProjectionName
    key: Text
    position: Position
    reason: Text = ""


class SkipDeadLetter(Frozen):
    """`operations_seen`: how many had been carried out when the dead letter was looked at.

    Refused (`looked-too-early`) if there are more: a retry may have applied the event.
    """

    name: Literal["skip_dead_letter"] = "skip_dead_letter"
    by: Caller
    projection: ProjectionName
    key: Text
    position: Position
    reason: Text
    operations_seen: int


OperationCommand = Annotated[
    PauseProjection | ResumeProjection | RetryDeadLetter | SkipDeadLetter,
    Field(discriminator="name"),
]
