"""`/livez`, `/readyz`, `/health` and `/metrics`: what they answer, and a small server for them.

The answers are functions, so that the API can give the same ones from its own server.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json

from moot.runtime.readiness import Readiness

PATHS = ("/livez", "/readyz", "/health", "/metrics")
REQUEST_SECONDS = 5.0
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _JSON


async def answer(path: str, readiness: Readiness) -> Answer:
    """Answer a GET of one of `PATHS`; any other is a 404."""
    match path:
        case "/livez":
            return Answer(HTTPStatus.OK, to_json({"status": "ok"}))
        case "/readyz":
            return await _ready(readiness)
        case "/health":
            return await _health(readiness)
        case "/metrics":
            return Answer(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
        case _:
            return Answer(HTTPStatus.NOT_FOUND, to_json({"status": "not found"}))


async def _ready(readiness: Readiness) -> Answer:
    report = await readiness.report()
    checks = {name: reason or "ok" for name, reason in report.reasons.items()}
    body = {"status": "ready" if report.ready else "not ready", "checks": checks}
    if report.notes:
        body["notes"] = report.notes
    return Answer(_status(ok=report.ready), to_json(body))


async def _health(readiness: Readiness) -> Answer:
    report = await readiness.report()
    body = {"status": "ok"} if report.ready else {"status": "degraded", "reason": report.reason}
    return Answer(_status(ok=report.ready), to_json(body))


def _status(*, ok: bool) -> HTTPStatus:
    return HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE


async def serve(readiness: Readiness, host: str, port: int) -> asyncio.Server:
    """Serve `PATHS` over HTTP/1.1, one request a connection. Raises OSError if it can't listen."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(await _route(head, readiness)))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # who asked went away, or isn't speaking HTTP: nobody is left to tell
        finally:
            writer.close()

    return await asyncio.start_server(connected, host, port)


async def _route(head: bytes, readiness: Readiness) -> Answer:
    method, _, rest = head.partition(b" ")
    target = rest.partition(b" ")[0].decode("latin-1")
    if method not in (b"GET", b"HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, to_json({"status": "only GET"}))
    found = await answer(target.partition("?")[0], readiness)
    return Answer(found.status, b"", found.content_type) if method == b"HEAD" else found


def _response(given: Answer) -> bytes:
    head = (
        f"HTTP/1.1 {given.status.value} {given.status.phrase}\r\n"
        f"Content-Type: {given.content_type}\r\n"
        f"Content-Length: {len(given.body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + given.body
