"""A decider to dispatch to: a room with few seats; an event of the catalogue tells who came in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from moot.contracts.deliveries import DeliveryDue
from moot.contracts.ids import CommandId, EventId
from moot.contracts.shape import Frozen
from moot.contracts.subjects import Category, StreamName
from moot.runtime.dispatch import CommandContext

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
SEATS = 25

category: Category = "delivery"
initial: tuple[str, ...] = ()


class Enter(Frozen):
    """Refused (`full`) when there aren't seats for all; obeyed when `guests` are all in."""

    name: Literal["enter"] = "enter"
    guests: tuple[str, ...]
    wearing: str = "a hat"


@dataclass(frozen=True, slots=True)
class Full:
    code: str = "full"
    detail: str = "no seat is left"


def evolve(state: tuple[str, ...], event: DeliveryDue) -> tuple[str, ...]:
    return (*state, event.event_id)


def decide(state: tuple[str, ...], command: Enter, now: datetime) -> list[DeliveryDue] | Full:
    new = [guest for guest in command.guests if guest not in state]
    if len(state) + len(new) > SEATS:
        return Full()
    return [DeliveryDue(event_id=EventId(guest), due_at=now, fired_at=now) for guest in new]


def room(name: str = "parlour") -> StreamName:
    return StreamName(category, name)


def enter(*guests: str) -> Enter:
    return Enter(guests=guests)


def asked(command_id: str) -> CommandContext:
    return CommandContext(
        command_id=CommandId(command_id),
        caller_auth_id="agent:ada",
        correlation_id="evening",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
