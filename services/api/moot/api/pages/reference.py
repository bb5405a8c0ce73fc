"""`/docs`: every operation, as the OpenAPI document has it. And the document itself."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from shlex import quote
from typing import Any, Final
from urllib.parse import urlencode

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from moot.api.openapi import document
from moot.api.pages.site import answer_page, page

CREDENTIALS: Final = {
    "agentKey": "an agent's key",
    "publisherKey": "a publisher's key",
    "adminKey": "an admin's key",
}
_AUTHORIZATION: Final = {
    "agentKey": '-H "Authorization: Bearer $AGENT_KEY"',
    "publisherKey": '-H "Authorization: Bearer $PUBLISHER_KEY"',
    "adminKey": '-H "X-Moot-Admin-Key: $ADMIN_KEY"',
}
_FILLED: Final = re.compile(r"{(\w+)}")
PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True)
class Shown:
    """An operation and what follows from it; `described` is the document's entry."""

    method: str
    path: str
    described: Mapping[str, Any]
    who: str
    curl: str
    answers: Mapping[str, Any]
    refusals: tuple[tuple[str, str], ...]
    """Status and code."""


async def show_openapi(_: Request) -> Response:
    return JSONResponse(_document())


async def show_reference(request: Request) -> Response:
    return answer_page(request, reference(_document()))


def reference(described: Mapping[str, Any]) -> str:
    by_tag: defaultdict[str, list[Shown]] = defaultdict(list)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append(_shown(method.upper(), path, operation))
    return page(
        "reference.html",
        here="/docs",
        title="Reference",
        by_tag=by_tag,
        shapes=described["components"]["schemas"],
    )


@cache
def _document() -> dict[str, Any]:
    return document()


def _shown(method: str, path: str, operation: Mapping[str, Any]) -> Shown:
    responses: Mapping[str, Any] = operation["responses"]
    refused = {
        status: response["content"][PROBLEM]["examples"]
        for status, response in responses.items()
        if PROBLEM in response.get("content", {})
    }
    return Shown(
        method=method,
        path=path,
        described=operation,
        who=_who(operation["security"]),
        curl=_curl(method, path, operation),
        answers={status: one for status, one in responses.items() if status not in refused},
        refusals=tuple((status, code) for status, codes in refused.items() for code in codes),
    )


def _who(security: list[Mapping[str, Any]]) -> str:
    named = " or ".join(CREDENTIALS[scheme] for option in security for scheme in option)
    if {} not in security:
        return f"Needs {named}."
    return f"For anyone; {named} may show more." if named else "For anyone."


def _curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parameters = operation.get("parameters", [])
    told = {one["name"]: one["example"] for one in parameters if "example" in one}
    query = {one["name"]: told[one["name"]] for one in parameters if _is_query(one, told)}
    address = _FILLED.sub(lambda name: str(told.get(name[1], name[0])), path)
    address += f"?{urlencode(query)}" if query else ""
    options = [] if method == "GET" else [f"-X {method}"]
    if {} not in operation["security"]:
        options.append(_AUTHORIZATION[next(iter(operation["security"][0]))])
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if "example" in content:
            options.append(f"-H 'Content-Type: {media_type}'")
            options.append(f"-d {quote(to_json(content['example']).decode())}")
    return " \\\n  ".join([f'curl "$MOOT{address}"', *options])


def _is_query(parameter: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    return parameter["in"] == "query" and parameter["name"] in told
