"""What a dispatcher is given and what it answers: deciders, commands, refusals, outcomes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from moot.contracts.catalogue import Event
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId
from moot.contracts.subjects import Category

State = TypeVar("State")

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Refusal(Protocol):
    """An expected no, as a decider gives it: `code` is stable, `detail` is for people."""

    @property
    def code(self) -> str: ...

    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class CommandIdReused:
    """The refusal of a command whose id the stream knows from another command."""

    code: str = "command-id-reused"
    detail: str = "this command id was used before, for another command"
    errors: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class PreconditionFailed:
    """The refusal of a command that was meant for another state than it was decided on."""

    code: str = "precondition-failed"
    detail: str = "it has changed since it was read"
    errors: tuple[()] = ()


class Command(Protocol):
    """A frozen pydantic model with a name."""

    @property
    def name(self) -> str: ...

    def model_dump(self, *, mode: str, exclude_defaults: bool) -> dict[str, Any]: ...


CommandT = TypeVar("CommandT", bound=Command)
CommandT_contra = TypeVar("CommandT_contra", contravariant=True)


class Decider(Protocol[State, CommandT_contra]):
    """A module of `moot.domain`. `decide` returns a list of events, or a refusal."""

    @property
    def category(self) -> Category: ...

    @property
    def initial(self) -> State: ...

    def evolve(self, state: State, event: Any, /) -> State: ...  # noqa: ANN401 its own events

    def decide(
        self, state: State, command: CommandT_contra, now: datetime, /
    ) -> Sequence[Event] | Refusal: ...


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Who wants it, and where the wish comes from.

    `causation_id` is the id of the event that a reactor answers; None for a wish of its own.
    """

    command_id: CommandId
    caller_auth_id: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Folded(Generic[State]):
    """A state with the position of the last event in it; 0 for none."""

    state: State
    position: int


@dataclass(frozen=True, slots=True)
class Outcome(Generic[State]):
    """What came of a command that wasn't refused.

    `position` and `state` are the stream's right after the command; `recorded` is empty when it
    was obeyed already. `replayed`: it is the answer to the same command, given before. The
    `stored_at` of an event just recorded is when it was decided, a moment before JetStream's own.
    """

    position: int
    state: State
    recorded: tuple[Recorded, ...]
    replayed: bool


def command_hash(command: Command) -> str:
    """Return the SHA-256 of the command's name and its canonical JSON, in hex.

    Without what is left at its default, so that a new optional field changes no old hash.
    """
    content = command.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(_canonical([command.name, content]).encode()).hexdigest()
