"""The OpenAPI 3.1 document, from the same table that the routes are made from.

`python -m moot.api.openapi` writes it; docs/openapi.json is what it wrote.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from moot.api.health_pages import HEALTH_PATHS
from moot.api.operations import Operation
from moot.api.pages.guides import guide_text
from moot.api.parameters import parameters_of
from moot.api.problems import MEDIA_TYPE, PROBLEMS, Problem, problem_view
from moot.api.recorded import example_of
from moot.api.routes import OPERATIONS
from moot.contracts.views import ProblemView, TopicView

_REF = "#/components/schemas/{model}"
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "anyone": [{}, {"agentKey": []}, {"adminKey": []}],
    "callers": [{"agentKey": []}, {"adminKey": []}],
    "publishers": [{"publisherKey": []}],
    "admins": [{"adminKey": []}],
}
_POSITION_HEADER = {
    "description": "The Chronicle's position: of the write, or that the read is up to",
    "schema": {"type": "integer"},
}
_PARKED_HEADER = {
    "description": "The position of an event that couldn't be applied: what is shown is older",
    "schema": {"type": "integer"},
}
_ETAG_HEADER = {
    "description": "Changes whenever anything that the caller is shown changes",
    "schema": {"type": "string"},
}


def document(operations: Sequence[Operation] = OPERATIONS) -> dict[str, Any]:
    schemas = _schemas(operations)
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moot",
            "version": "0.1.0",
            "summary": "Deliberations that are fair, on time and accountable",
            "description": guide_text("/docs/conventions"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {**paths, **_health_paths()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "agentKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "moot_<id>_<secret>",
                },
                "publisherKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "moot_pub_<id>_<secret>",
                },
                "adminKey": {"type": "apiKey", "in": "header", "name": "X-Moot-Admin-Key"},
            },
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations)],
    }


def always(operation: Operation) -> tuple[str, ...]:
    """Return what any operation of its kind may refuse."""
    codes = ["bad-credentials", "internal-error", "database-unavailable", "stopping"]
    codes += ["stream-unreadable", "too-many-requests"]
    if operation.who != "anyone":
        codes.append("credentials-required")
    if operation.who == "admins":
        codes.append("not-admin")
    if operation.who == "publishers":
        codes.append("not-a-publisher")
    if operation.method != "GET":
        codes += ["invalid-header", "chronicle-unavailable", "event-too-large"]
        codes += ["idempotency-key-in-use", "idempotency-key-reused", "precondition-failed"]
    elif "projection-behind" in operation.problems:
        codes.append("invalid-header")
    if operation.body is not None:
        codes += ["invalid-request", "body-too-large", "request-timeout", "unsupported-media-type"]
    return tuple(codes)


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    written: list[type[BaseModel]] = [ProblemView]
    written += [view for one in operations for view in one.answers.values() if view is not None]
    read = [one.body for one in operations if one.body is not None]
    read += [body for one in operations for body in one.other_bodies.values()]
    models = [(model, "serialization") for model in dict.fromkeys(written)]
    models += [(model, "validation") for model in dict.fromkeys(read)]
    _, definitions = models_json_schema(models, ref_template=_REF)  # pyright: ignore[reportArgumentType] the modes are the two it knows
    return dict(sorted(definitions["$defs"].items()))


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": _SECURITY[operation.who],
        "parameters": parameters_of(operation),
        "responses": {**_answers(operation, schemas), **_problems(operation)},
    }
    if operation.body is not None:
        content: dict[str, Any] = {"schema": _schema_of(operation.body, schemas)}
        if operation.example is not None:
            content["example"] = operation.example
        others = {
            media_type: {"schema": _schema_of(body, schemas)}
            for media_type, body in operation.other_bodies.items()
        }
        described["requestBody"] = {
            "required": True,
            "content": {operation.body_media_type: content, **others},
        }
    return described


def _answers(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        str(status): _answer_of(operation, status, view, schemas)
        for status, view in operation.answers.items()
    }


def _answer_of(
    operation: Operation, status: int, view: type[BaseModel] | None, schemas: dict[str, Any]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary if view else "No body"}
    is_read = "projection-behind" in operation.problems
    if operation.method != "GET" or is_read:
        answer["headers"] = {"Chronicle-Position": _POSITION_HEADER}
    if is_read:
        answer["headers"]["Chronicle-Parked"] = _PARKED_HEADER
    if 304 in operation.answers or (view is TopicView and operation.method != "GET"):  # noqa: PLR2004 the status
        answer.setdefault("headers", {})["ETag"] = _ETAG_HEADER
    if view is not None:
        example = example_of(operation.name)
        shown = example.answer if example.status == status else {}
        answer["content"] = {
            media_type: _content(media_type, _schema_of(view, schemas), shown)
            for media_type in operation.media_types
        }
    return answer


def _content(media_type: str, schema: dict[str, str], shown: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "schema": schema if media_type.endswith("json") else {"type": "string"}
    }
    if media_type in shown:
        content["example"] = shown[media_type]
    return content


def _problems(operation: Operation) -> dict[str, Any]:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys((*operation.problems, *always(operation))):
        by_status[PROBLEMS[code].status].append(code)
    return {
        str(status): {
            "description": ", ".join(codes),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": _REF.format(model="ProblemView")},
                    "examples": {code: {"value": _example(code, operation)} for code in codes},
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _example(code: str, operation: Operation) -> dict[str, Any]:
    return problem_view(Problem(code), operation.path, None).model_dump(mode="json")


def _schema_of(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    title = model.__name__
    name = re.sub(r"[^A-Za-z0-9.\-_]", "_", title)
    if name not in schemas:
        name = name.removesuffix("_") + "_"
    return {"$ref": _REF.format(model=name)}


def _health_paths() -> dict[str, Any]:
    return {
        path: {
            "get": {
                "operationId": name,
                "tags": ["health"],
                "summary": summary,
                "security": [{}],
                "responses": {
                    "200": {"description": "Yes"},
                    **({} if path in {"/livez", "/metrics"} else {"503": {"description": "No"}}),
                },
            }
        }
        for path, (name, summary) in HEALTH_PATHS.items()
    }


def text() -> str:
    """Return the document as it is committed."""
    return to_json(document(), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
