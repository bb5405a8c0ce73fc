"""The JSON Schema of what `moot.contracts.envelope` writes, but for `type` and `data`."""

from typing import Any

from moot.contracts.ids import HEX_ID


def _text(description: str, **more: str) -> dict[str, str]:
    return {"type": "string", "description": description, **more}


ENVELOPE_SCHEMA: dict[str, Any] = {
    "title": "Envelope",
    "description": "A CloudEvents 1.0 document, in structured mode.",
    "type": "object",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _text("The event's own, for ever; also the header Nats-Msg-Id.", pattern=HEX_ID),
        "type": _text("Which contract `data` keeps."),
        "source": _text("Who decided it, e.g. `moot/api`; as the publisher gave it."),
        "subject": _text("The stream of events it is in: category and id, `topic/<id>`."),
        "time": _text("When it was decided, or as the publisher gave it.", format="date-time"),
        "datacontenttype": {"const": "application/json"},
        "dataschema": _text("`urn:moot:` and the type.", format="uri"),
        "data": {"type": "object"},
        "correlationid": _text("The same in all that came of one wish."),
        "causationid": _text("Of the event that this one answers, else of the command."),
        "commandid": _text("Of the command that it was decided by."),
        "commandhash": _text("SHA-256 of that command, hex."),
        "authid": _text("Who wanted it, e.g. `agent:ann`, `service:ticker`, `publisher:x`."),
        "traceparent": _text("W3C trace context."),
        "sourceid": _text("The id that its publisher gave it."),
    },
    "required": [
        "specversion",
        "id",
        "type",
        "source",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "correlationid",
        "causationid",
        "commandid",
        "commandhash",
        "authid",
    ],
}
