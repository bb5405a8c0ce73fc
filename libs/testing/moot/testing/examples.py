"""An example of every event and command, as this version's Chronicle and deciders know it.

For tests that need no running Moot: what an own reader makes of each event that there is.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moot.contracts import examples
from moot.contracts.catalogue import INGESTIBLE, Command, Event

SOURCE = "moot-testing"


def event_examples() -> dict[str, dict[str, Any]]:
    """By its type, the document of an event as the Chronicle has it: CloudEvents 1.0 in JSON."""
    return {
        event.type: examples.in_envelope(category, event).document()
        for category, events in examples.EVENTS.items()
        for event in reversed(events)
    }


def command_examples() -> dict[str, Command]:
    """By its name, an example of every command."""
    return {command.name: command for command in examples.COMMANDS}


def document(event: Event | str, subject: str, **changes: object) -> dict[str, Any]:
    """Return an event as another system publishes it: a CloudEvents document with a new id.

    `event` is one of `moot.contracts`, or the name of a type that others may publish, whose example
    is taken; `subject` is its stream, e.g. `posture/windows-baseline`; `changes` are fields of its
    data. Raises KeyError for any other name.
    """
    example = _published_by_others()[event] if isinstance(event, str) else event
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": SOURCE,
        "type": example.type,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
        "data": example.model_dump(mode="json") | changes,
    }


def _published_by_others() -> dict[str, Event]:
    events = (event for events in examples.EVENTS.values() for event in events)
    return {event.type: event for event in events if event.type in INGESTIBLE}
