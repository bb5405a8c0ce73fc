"""What the API can be asked for: one entry an operation, from which routes and OpenAPI are made."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import structlog
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moot.api.bodies import body_bytes
from moot.api.callers import credentials_required
from moot.api.event_stream import EventStream
from moot.api.exchange import Answer, Api, Asked
from moot.api.measuring import ACTIVE, DURATION
from moot.api.problems import SOON, Problem, problem_response
from moot.api.queries.idempotency_keys import Name
from moot.api.rate_limits import Left
from moot.contracts.debates import Caller
from moot.contracts.shape import Frozen
from moot.runtime.chronicle import ChronicleUnavailableError, MessageTooLargeError
from moot.runtime.database import is_outage
from moot.runtime.dispatch import UnreadableStreamError
from moot.runtime.telemetry import SERVER, span

log = structlog.stdlib.get_logger()

_LEFT = "moot.left"

Who = Literal["anyone", "callers", "publishers", "admins"]


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is its operationId, verb_noun, never changed. `answers`: status → view, None: no body.

    `who` is who may ask at all; what each of them may do is for the deciders to say.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    name: str
    tag: str
    summary: str
    answer: Answer
    answers: Mapping[int, type[BaseModel] | None]
    who: Who = "anyone"
    body: type[BaseModel] | None = None
    example: Mapping[str, object] | None = None
    """Of the body."""
    body_media_type: str = "application/json"
    other_bodies: Mapping[str, type[BaseModel]] = field(default_factory=dict[str, type[BaseModel]])
    """By media type, what may be sent instead of the body."""
    query: type[Frozen] | None = None
    problems: tuple[str, ...] = ()
    """What it may refuse beyond what any operation may; see `always` in `moot.api.openapi`."""
    media_types: tuple[str, ...] = field(default=("application/json",))
    shows_secret: bool = False
    """Its answer isn't kept, so that a repeat is refused: `already-issued`."""


def mount(app: FastAPI, api: Api, operations: Sequence[Operation]) -> None:
    """One route a path, so that a 405 knows every method that the path has."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    for path, by_method in by_path.items():
        if "GET" in by_method:
            by_method["HEAD"] = by_method["GET"]
        app.router.routes.append(
            Route(path, _Endpoint(api, path, by_method), methods=list(by_method))
        )


def answering_exceptions(app: ASGIApp) -> ASGIApp:
    """Answer what no route did (no such path, no such method, a fault) by a problem too."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, sending)
        except HTTPException as error:
            await _unanswered(_unrouted(error), scope)(scope, receive, send)
        except Exception as error:
            if not begun:
                await _unanswered(_of(error), scope)(scope, receive, send)
            raise  # for the server to log

    return answering


def _unanswered(problem: Problem, scope: Scope) -> Response:
    return _finished(problem_response(problem, Request(scope)))


def _unrouted(error: HTTPException) -> Problem:
    """What the router says no to, before any operation."""
    codes = {404: "not-found", 405: "method-not-allowed"}
    return Problem(codes.get(error.status_code, "invalid-request"), headers=error.headers or {})


class _Endpoint:
    """The operations of a path, as ASGI: nothing of a framework stands between."""

    def __init__(self, api: Api, path: str, by_method: Mapping[str, Operation]) -> None:
        self._api = api
        self._path = path
        self._by_method = by_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        operation = self._by_method[request.method]
        with span(
            f"{request.method} {self._path}",
            request.headers.get("traceparent"),
            kind=SERVER,
            attributes={"http.request.method": request.method, "http.route": self._path},
        ) as traced:
            began = ended = time.perf_counter()
            ACTIVE.add(1)
            try:
                response = await self._respond(operation, request)
                ended = time.perf_counter()
            finally:
                ACTIVE.add(-1)
            traced.set_attribute("http.response.status_code", response.status_code)
            try:
                await response(scope, receive, send)
                if not isinstance(response, EventStream):
                    ended = time.perf_counter()
            finally:
                status = str(response.status_code)
                DURATION.record(ended - began, request.method, self._path, status)

    async def _respond(self, operation: Operation, request: Request) -> Response:
        try:
            response = await _answer(self._api, operation, request)
        except Problem as problem:
            response = problem_response(problem, request)
        except asyncio.CancelledError:
            # Nobody but the server cancels: it stops, and can't wait for the answer any longer.
            response = problem_response(Problem("stopping", headers=SOON), request)
        except Exception as error:
            problem = _of(error)
            if problem.status == Problem("internal-error").status:
                log.exception("request_failed", operation=operation.name)
            else:
                log.warning("request_failed", operation=operation.name, reason=str(error))
            response = problem_response(problem, request)
        left: Left | None = request.scope.get(_LEFT)
        if left is not None:
            response.headers.update(left.headers)
        return _finished(response)


async def _answer(api: Api, operation: Operation, request: Request) -> Response:
    asked = Asked(request, await _identified(api, request))
    if operation.who != "anyone" and asked.caller.kind == "anonymous":
        raise credentials_required()
    if operation.who == "admins" and not asked.caller.is_admin:
        raise Problem("not-admin")
    if operation.who == "publishers" and asked.caller.kind != "publisher":
        # An admin's key alone is no credential here, an agent's is the wrong one.
        raise credentials_required() if asked.caller.is_admin else Problem("not-a-publisher")
    if operation.method == "GET" or (key := asked.idempotency_key) is None:
        return await operation.answer(api, asked)
    return await api.keys.once(
        Name(asked.caller.auth_id, key),
        await _fingerprint(operation, request),
        lambda: operation.answer(api, asked),
        shows_secret=operation.shows_secret,
    )


async def _identified(api: Api, request: Request) -> Caller:
    """Say who asks, unless they ask too much; whose credentials don't hold is an address."""
    try:
        caller = await api.callers.identify(request.headers)
    except Problem:
        _count(api, api.addresses.of(request), request)
        raise
    unnamed = caller.kind == "anonymous"
    _count(api, api.addresses.of(request) if unnamed else caller.auth_id, request)
    return caller


def _count(api: Api, who: str, request: Request) -> None:
    left = api.limits.take(who)
    request.scope[_LEFT] = left
    api.limits.check(left)


async def _fingerprint(operation: Operation, request: Request) -> bytes:
    """Tell the request from any other, by method, address and body."""
    url = request.url
    read = sha256(f"{operation.method} {url.path}?{url.query}\n".encode())
    if operation.body is not None:
        # What is wrong with a body, the operation says: a hidden topic it knows nothing about.
        with suppress(Problem):
            read.update(await body_bytes(request))
    return read.digest()


def _of(error: Exception) -> Problem:
    if isinstance(error, ChronicleUnavailableError):
        return Problem("chronicle-unavailable", headers=SOON)
    if isinstance(error, UnreadableStreamError):
        return Problem("stream-unreadable")
    if isinstance(error, MessageTooLargeError):
        return Problem("event-too-large")
    if is_outage(error):
        return Problem("database-unavailable", headers=SOON)
    return Problem("internal-error")


def _finished(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.headers["Vary"] = "Authorization, X-Moot-Admin-Key"
    return response
