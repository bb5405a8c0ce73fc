"""What an operation takes besides a body, as the OpenAPI document has it."""

import re
from typing import Any

from moot.api.event_stream import MEDIA_TYPE as EVENT_STREAM
from moot.api.exchange import POSITIONS_END
from moot.api.operations import Operation
from moot.api.recorded import example_of

_POSITION = {"type": "integer", "minimum": 1, "exclusiveMaximum": POSITIONS_END}
_TOPIC_ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_PATH_SCHEMAS = {"topic_id": _TOPIC_ID, "position": _POSITION}
_UNCONTROLLED = {"type": "string", "pattern": r"^[^\x00-\x08\x0a-\x1f\x7f]*$"}
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_READ_HEADERS: list[dict[str, Any]] = [
    {
        "name": "Chronicle-Min-Position",
        "in": "header",
        "description": "Wait until the read models have reached this position.",
        "schema": {"type": "integer", "minimum": 0, "exclusiveMaximum": POSITIONS_END},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=S`: seconds to wait (5, at most 30); `handling=lenient`: then answer"
        " with older data instead of 503.",
        "schema": _UNCONTROLLED,
    },
]
_LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that was heard: go on after it.",
    "schema": {"type": "integer", "minimum": 0, "exclusiveMaximum": POSITIONS_END},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and request from the same caller take effect once, and for a day"
    " get the same answer.",
    "schema": {"type": "string", "pattern": '^"?[!#-~][!-~]{0,254}$'},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "Only if the topic or the webhook, as the caller sees it, still has this `ETag`;"
    " else 412.",
    "schema": _UNCONTROLLED,
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "304 without a body if it still has this `ETag`.",
    "schema": _UNCONTROLLED,
}


def parameters_of(operation: Operation) -> list[dict[str, Any]]:
    example = example_of(operation.name)
    told = example.path | example.query
    parameters = [*_path_parameters(operation), *_other_parameters(operation)]
    return [
        {**one, "example": told[one["name"]]} if one["name"] in told else one for one in parameters
    ]


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PATH_SCHEMAS.get(name, {"type": "string"}),
        }
        for name in _PATH_PARAMETER.findall(operation.path)
    ]


def _other_parameters(operation: Operation) -> list[dict[str, Any]]:
    found = _query_parameters(operation)
    if "projection-behind" in operation.problems:
        found += _READ_HEADERS
    if EVENT_STREAM in operation.media_types:
        found.append(_LAST_EVENT_ID)
    if operation.method != "GET":
        found += [_IDEMPOTENCY_KEY, _IF_MATCH]
    if 304 in operation.answers:  # noqa: PLR2004 the status
        found.append(_IF_NONE_MATCH)
    return found


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema()
    required = schema.get("required", [])
    parameters: list[dict[str, Any]] = []
    for name, field in schema["properties"].items():
        shape = _inlined(field, schema.get("$defs", {}))
        parameter: dict[str, Any] = {"name": name, "in": "query"}
        if (told := shape.pop("description", None)) is not None:
            parameter["description"] = told
        parameter["schema"] = shape
        if name in required:
            parameter["required"] = True
        parameters.append(parameter)
    return parameters


def _inlined(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out isn't null; what it refers to is put in its place."""
    options = [one for one in field.get("anyOf", []) if one.get("type") != "null"]
    if len(options) == 1:
        rest = {k: v for k, v in field.items() if k not in {"anyOf", "default"}}
        return _inlined(options[0] | rest, definitions)
    if "$ref" in field:
        return definitions[field["$ref"].rpartition("/")[2]]
    return field
