"""An operator, as a test has one, and events that today's code can't read."""

from moot.contracts.catalogue import Event
from moot.contracts.debates import ADMIN
from moot.contracts.ids import CommandId, Position
from moot.contracts.operations import (
    AcceptHole,
    OperationCommand,
    PauseProjection,
    RebuildKey,
    ResumeProjection,
    RetryDeadLetter,
    SkipDeadLetter,
)
from moot.contracts.subjects import StreamName
from moot.domain import operations
from moot.runtime.chronicle import Chronicle
from moot.runtime.clock import utc_now
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.dispatch import Dispatcher
from moot.runtime.luck import new_id
from tests.support.recording import envelope

NEWER_TYPE = "moot.topic.not_known_yet.v9"
"""A type that only a later version of the code knows."""


class Operator:
    """Does things to one projection; each returns its position."""

    def __init__(self, chronicle: Chronicle, projection: str) -> None:
        self._dispatcher = Dispatcher(chronicle, source="moot/tests", now=utc_now)
        self._projection = projection

    async def retries(self, stream: StreamName, position: int) -> int:
        return await self._does(
            RetryDeadLetter(
                by=ADMIN,
                projection=self._projection,
                key=stream.label,
                position=Position(position),
            )
        )

    async def skips(self, stream: StreamName, position: int) -> int:
        done = await self._dispatcher.load(operations, self._projection)
        return await self._does(
            SkipDeadLetter(
                by=ADMIN,
                projection=self._projection,
                key=stream.label,
                position=Position(position),
                reason="nobody needs it",
                operations_seen=done.state.operations,
            )
        )

    async def pauses(self) -> int:
        return await self._does(PauseProjection(by=ADMIN, projection=self._projection))

    async def resumes(self) -> int:
        return await self._does(ResumeProjection(by=ADMIN, projection=self._projection))

    async def accepts(self, after: int, before: int) -> int:
        return await self._does(
            AcceptHole(
                by=ADMIN,
                projection=self._projection,
                after=after,
                before=Position(before),
                reason="lost for good",
            )
        )

    async def rebuilds(self, stream: StreamName) -> int:
        key = stream.label
        return await self._does(RebuildKey(by=ADMIN, projection=self._projection, key=key))

    async def _does(self, command: OperationCommand) -> int:
        command_id = CommandId(new_id())
        context = CommandContext(command_id, command.by.auth_id, command_id)
        outcome = await self._dispatcher.dispatch(operations, self._projection, command, context)
        assert isinstance(outcome, Outcome), outcome
        return outcome.position


def of_newer_type(stream: StreamName, event: Event, number: int) -> tuple[str, bytes]:
    """Return an event's id and bytes, written by code that calls its type NEWER_TYPE."""
    written = envelope(stream, event, number)
    return written.id, written.to_bytes().replace(event.type.encode(), NEWER_TYPE.encode())
