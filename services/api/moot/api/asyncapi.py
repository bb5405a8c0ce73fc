"""The AsyncAPI 3 document: what there is to read in the Chronicle, over NATS.

`python -m moot.api.asyncapi` writes it; docs/asyncapi.json is what it wrote.
"""

import sys
from functools import cache
from typing import Any, cast

from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from moot.contracts import examples
from moot.contracts.catalogue import CATEGORY_OF, EVENTS, EVENTS_BY_CATEGORY, Event
from moot.contracts.envelope import CONTENT_TYPE
from moot.contracts.envelope_schema import ENVELOPE_SCHEMA
from moot.contracts.ids import SAFE_TOKEN
from moot.contracts.subjects import CHRONICLE, Category, StreamName, category_filter
from moot.runtime.provision import DURABLES

_SCHEMA = "#/components/schemas/{model}"
_DESCRIPTION = f"""\
Everything that ever happened is in one JetStream stream, `{CHRONICLE}`: append-only, in one order.
A message's stream sequence is its *position*. Messages are CloudEvents 1.0 in structured mode.

Read with a consumer of your own, ordered or durable, on `chronicle.>`, on a category
(`chronicle.topic.>`) or on one stream of events (`chronicle.topic.<id>`). Expect to be sent a
message more than once, and types and extension attributes that you don't know: pass over them.
Whoever may read from NATS reads all of it, private topics too. Only Moot's own services write to
it; other systems publish by `POST /api/events`.
"""
_ABOUT: dict[Category, str] = {
    "topic": "Debates, from proposal to verdict",
    "artifact": "Governed artifacts, from their registration on",
    "posture": "How governed artifacts are deployed, as somebody saw it",
    "delivery": "What was announced where, and what came of it; webhooks",
    "access": "Agents' and publishers' keys, as hashes",
    "operation": "What operators did to projections, and the verdict schemas they registered",
}
_HEADERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "Content-Type": {"const": CONTENT_TYPE},
        "Nats-Msg-Id": {"type": "string", "description": "The event's id."},
        "traceparent": {"type": "string", "description": "W3C trace context."},
    },
    "required": ["Content-Type", "Nats-Msg-Id"],
}


@cache
def document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Moot's Chronicle",
            "version": "0.1.0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "nats": {
                "host": "{host}",
                "protocol": "nats",
                "description": "NATS with JetStream, 2.12 or newer",
                "variables": {
                    "host": {
                        "default": "127.0.0.1:4222",
                        "description": "Where the operator's NATS listens: see NATS_URL",
                    }
                },
                "security": [{"$ref": "#/components/securitySchemes/user"}],
            }
        },
        "channels": {category: _channel(category) for category in EVENTS_BY_CATEGORY},
        "operations": {f"send_{category}": _operation(category) for category in EVENTS_BY_CATEGORY},
        "components": {
            "messages": {event.type: _message(event) for event in EVENTS.values()},
            "schemas": _schemas(),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "A NATS user that the operator gave you; it needs to publish to"
                    f" `$JS.API.>` of the stream {CHRONICLE} and to subscribe to its inbox. A NATS"
                    " without users asks for none.",
                }
            },
        },
    }


def text() -> str:
    """Return the document as it is committed."""
    return to_json(document(), indent=2).decode() + "\n"


def _channel(category: Category) -> dict[str, Any]:
    return {
        "address": StreamName(category, "{id}").subject,
        "title": category,
        "description": _ABOUT[category],
        "parameters": {
            "id": {"description": f"Of the stream of events: 32 hex digits, or {SAFE_TOKEN}"}
        },
        "messages": {
            event.type: {"$ref": f"#/components/messages/{event.type}"}
            for event in EVENTS_BY_CATEGORY[category]
        },
        "x-jetstream-stream": CHRONICLE,
        "x-jetstream-filter": category_filter(category),
        "x-jetstream-durables": [d.name for d in DURABLES if d.category == category],
    }


def _operation(category: Category) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{category}"},
        "summary": f"{_ABOUT[category]}. The durables that the channel names are Moot's own: give"
        " yours another name.",
        "messages": [
            {"$ref": f"#/channels/{category}/messages/{event.type}"}
            for event in EVENTS_BY_CATEGORY[category]
        ],
    }


def _message(event: type[Event]) -> dict[str, Any]:
    data = {"$ref": _SCHEMA.format(model=event.__name__)}
    return {
        "name": event.type,
        "title": event.__name__,
        "contentType": CONTENT_TYPE,
        "headers": _HEADERS,
        "payload": {
            "allOf": [
                {"$ref": _SCHEMA.format(model="Envelope")},
                {"properties": {"type": {"const": event.type}, "data": data}},
            ]
        },
        "examples": [{"name": "example", "payload": _example(event)}],
    }


def _example(wanted: type[Event]) -> dict[str, Any]:
    category = CATEGORY_OF[wanted.type]
    event = next(one for one in examples.EVENTS[category] if isinstance(one, wanted))
    return examples.in_envelope(category, event).document()


def _schemas() -> dict[str, Any]:
    models = [(event, "serialization") for event in EVENTS.values()]
    _, definitions = models_json_schema(models, ref_template=_SCHEMA)  # pyright: ignore[reportArgumentType] the mode is one it knows
    found = {"Envelope": ENVELOPE_SCHEMA, **definitions["$defs"]}
    return {name: _plain(schema) for name, schema in sorted(found.items())}


def _plain(schema: Any) -> Any:  # noqa: ANN401 any JSON
    """Leave out OpenAPI's `discriminator`: AsyncAPI has another thing of that name."""
    match schema:
        case dict():
            of = cast("dict[str, Any]", schema)
            return {name: _plain(of[name]) for name in of if not _is_discriminator(name, of[name])}
        case list():
            return [_plain(one) for one in cast("list[Any]", schema)]
        case _:
            return schema


def _is_discriminator(name: str, value: object) -> bool:
    return name == "discriminator" and isinstance(value, dict) and "propertyName" in value


if __name__ == "__main__":
    sys.stdout.write(text())
