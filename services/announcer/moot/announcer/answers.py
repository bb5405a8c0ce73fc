"""What came of one post, whoever was posted to."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from moot.runtime.telemetry import current_traceparent

TIMEOUT_SECONDS: Final = 10.0
"""For everything: finding the address, connecting, sending, the answer."""
CONNECT_SECONDS: Final = 4.0
KEPT_BYTES: Final = 2048
LONGEST_RETRY_AFTER: Final = 1e9


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when none came; then `error` says why. `body` is at most 2 KB of it."""

    status: int | None
    error: str | None
    body: str = ""
    retry_after_s: float | None = None
    duration_ms: int = 0
    hopeless: str | None = None
    """Why no other attempt would end otherwise, where that isn't for the status to say."""

    @property
    def outcome(self) -> str:
        """The status or, in one word, why none came: for metrics, so without any detail."""
        if self.status is not None:
            return str(self.status)
        return (self.error or "none").partition(":")[0].replace(" ", "_")

    @classmethod
    def not_called(cls, why: str) -> "Answer":
        return cls(None, f"not called: {why}")


def client(*, kept_connections: int) -> httpx2.AsyncClient:
    """Return a client that follows no redirects and reads no proxy from the environment."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=kept_connections),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "moot-announcer", "Accept-Encoding": "identity"},
    )


class Posting:
    """Posts with one HTTP client, which the caller closes."""

    def __init__(self, http: httpx2.AsyncClient, *, now: Callable[[], datetime]) -> None:
        self.http = http
        self._now = now

    @asynccontextmanager
    async def timed(self) -> AsyncGenerator["Timed"]:
        """Give what is done inside the time that one attempt has; faults become its answer."""
        timed, began = Timed(), time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                yield timed
        except (TimeoutError, httpx2.TimeoutException):
            timed.answer = Answer(None, "timeout")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            timed.answer = Answer(None, type(error).__name__)
        timed.answer = replace(timed.answer, duration_ms=round((time.monotonic() - began) * 1000))

    async def send(self, requests: Sequence[httpx2.Request]) -> Answer:
        """Send the first of them that finds somebody; they differ in their addresses only."""
        for request in requests[:-1]:
            try:
                return await self._sent(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._sent(requests[-1])

    async def _sent(self, request: httpx2.Request) -> Answer:
        traceparent = current_traceparent()
        if traceparent is not None:
            request.headers["traceparent"] = traceparent
        response = await self.http.send(request, stream=True)
        try:
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) >= KEPT_BYTES:
                    break
        finally:
            await response.aclose()
        text = body[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
        retry_after = retry_after_seconds(response.headers.get("retry-after"), self._now())
        return Answer(response.status_code, None, text, retry_after)


@dataclass(slots=True)
class Timed:
    answer: Answer = Answer(None, "nothing was sent")


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date; None where it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else _until(value, now)
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _until(date: str, now: datetime) -> float:
    return (parsedate_to_datetime(date) - now).total_seconds()
