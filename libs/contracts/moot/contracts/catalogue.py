"""Which type name is which event, and how old shapes become today's."""

from collections.abc import Callable
from typing import Any, get_args

from moot.contracts.access import AccessCommand, AccessEvent
from moot.contracts.artifacts import ArtifactEvent, PostureEvent
from moot.contracts.deliveries import DeliveryCommand, DeliveryEvent
from moot.contracts.operations import OperationCommand, OperationEvent
from moot.contracts.publishing import PublishingCommand, PublishingEvent
from moot.contracts.subjects import Category
from moot.contracts.topic_commands import TopicCommand
from moot.contracts.topic_events import TopicEvent
from moot.contracts.verdict_schemas import VerdictSchemaCommand, VerdictSchemaEvent
from moot.contracts.webhooks import WebhookCommand, WebhookEvent


def _members(union: Any) -> tuple[type[Any], ...]:  # noqa: ANN401 an annotated union
    return get_args(get_args(union)[0])


Event = (
    TopicEvent
    | DeliveryEvent
    | WebhookEvent
    | AccessEvent
    | PublishingEvent
    | ArtifactEvent
    | PostureEvent
    | OperationEvent
    | VerdictSchemaEvent
)
Command = (
    TopicCommand
    | DeliveryCommand
    | WebhookCommand
    | AccessCommand
    | PublishingCommand
    | OperationCommand
    | VerdictSchemaCommand
)

EVENTS_BY_CATEGORY: dict[Category, tuple[type[Event], ...]] = {
    "topic": get_args(TopicEvent),
    "artifact": (ArtifactEvent,),
    "posture": (PostureEvent,),
    "delivery": (*get_args(DeliveryEvent), *get_args(WebhookEvent)),
    "access": (*get_args(AccessEvent), *get_args(PublishingEvent)),
    "operation": (*get_args(OperationEvent), VerdictSchemaEvent),
}

EVENTS: dict[str, type[Event]] = {
    event.type: event for events in EVENTS_BY_CATEGORY.values() for event in events
}

CATEGORY_OF: dict[str, Category] = {
    event.type: category for category, events in EVENTS_BY_CATEGORY.items() for event in events
}

INGESTIBLE: frozenset[str] = frozenset({ArtifactEvent.type, PostureEvent.type})
"""What other systems may append. Never a type that a decider of ours decides."""

COMMANDS_BY_CATEGORY: dict[Category, tuple[type[Command], ...]] = {
    "topic": _members(TopicCommand),
    "delivery": (*_members(DeliveryCommand), *_members(WebhookCommand)),
    "access": (*_members(AccessCommand), *_members(PublishingCommand)),
    "operation": (*_members(OperationCommand), VerdictSchemaCommand),
}

COMMANDS: dict[str, type[Command]] = {
    command.model_fields["name"].default: command
    for commands in COMMANDS_BY_CATEGORY.values()
    for command in commands
}

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[str, tuple[str, Upcaster]] = {}
"""Old type name → (newer type name, pure function from its data to the newer data)."""


class UnknownEventTypeError(Exception):
    """The event's type isn't in the catalogue of this version of the code."""


def upcast(type_name: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Bring data of an old type to the newest one; data of a current type stays as it is."""
    while type_name in UPCASTERS:
        type_name, change = UPCASTERS[type_name]
        data = change(data)
    return type_name, data


def decode_event(type_name: str, data: dict[str, Any]) -> Event:
    """Return the event, upcast and validated.

    Raises UnknownEventTypeError, or pydantic's ValidationError when it breaks its contract.
    """
    type_name, data = upcast(type_name, data)
    event = EVENTS.get(type_name)
    if event is None:
        raise UnknownEventTypeError(type_name)
    return event.model_validate(data)
