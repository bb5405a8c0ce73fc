"""Commits to a draw when sign-up opens, and draws when it has closed."""

from typing import Final

from moot.contracts.debates import Caller
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, derived_id
from moot.contracts.topic_commands import AllocateCamps, CommitDraw
from moot.contracts.topic_events import SignupClosed, SignupOpened
from moot.domain import topic
from moot.domain.draw import commitment, draw_secret
from moot.runtime.dispatch import CommandContext, Dispatcher, Outcome
from moot.runtime.telemetry import current_traceparent

ALLOCATOR: Final = Caller.service("allocator")

OVERTAKEN: Final = frozenset({"not-allocating", "topic-not-found"})
"""Refusals that say the topic went another way meanwhile, e.g. was cancelled."""


class AllocationRefusedError(Exception):
    """A topic waits for its camps and can't have them: for a person to look at, and tried again."""


class Allocating:
    def __init__(self, dispatcher: Dispatcher, draw_key: bytes) -> None:
        self._dispatcher = dispatcher
        self._draw_key = draw_key

    async def react(self, recorded: Recorded) -> str | None:
        """Raises AllocationRefusedError, or a fault of the Chronicle."""
        match recorded.event:
            case SignupOpened():
                return await self._commit(recorded)
            case SignupClosed():
                committed = await self._commit(recorded)
                drawn = await self._draw(recorded)
                return drawn if committed == "obeyed" else f"commitment {committed}, draw {drawn}"
            case _:
                return None

    async def _commit(self, recorded: Recorded) -> str:
        published = commitment(self._secret(recorded))
        return await self._ask(recorded, CommitDraw(by=ALLOCATOR, commitment=published))

    async def _draw(self, recorded: Recorded) -> str:
        secret = self._secret(recorded).hex()
        return await self._ask(recorded, AllocateCamps(by=ALLOCATOR, secret=secret))

    def _secret(self, recorded: Recorded) -> bytes:
        return draw_secret(self._draw_key, recorded.stream.id)

    async def _ask(self, recorded: Recorded, command: CommitDraw | AllocateCamps) -> str:
        """Return what came of it: `done`, `obeyed` or the code of a refusal that is in order."""
        context = CommandContext(
            command_id=CommandId(derived_id("allocator", recorded.envelope.id, command.name)),
            caller_auth_id=ALLOCATOR.auth_id,
            correlation_id=recorded.envelope.cause.correlation_id,
            causation_id=recorded.envelope.id,
            traceparent=current_traceparent(),
        )
        result = await self._dispatcher.dispatch(topic, recorded.stream.id, command, context)
        if isinstance(result, Outcome):
            return "done" if result.recorded and not result.replayed else "obeyed"
        if result.code in OVERTAKEN:
            return result.code
        raise AllocationRefusedError(f"{recorded.stream.label}: {result.code}: {result.detail}")
