"""One post to a channel of a Fabric guild, and what came of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from moot.announcer.settings import Credentials
from moot.contracts.deliveries import Announcement, Endpoint

TIMEOUT_SECONDS: Final = 10.0
KEPT_BYTES: Final = 2048
LONGEST_RETRY_AFTER: Final = 1e9


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when none came; then `error` says why. `body` is at most 2 KB of it."""

    status: int | None
    error: str | None
    body: str
    retry_after_s: float | None
    duration_ms: int


class Fabric:
    """Posts with one HTTP client, which the caller closes."""

    def __init__(self, client: httpx2.AsyncClient, *, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now

    async def post(
        self, endpoint: Endpoint, announcement: Announcement, credentials: Credentials
    ) -> Answer:
        """Post once. The receiver knows a repeated post by its key, the announced event's id."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, body, retry_after = await self._posted(endpoint, announcement, credentials)
        except TimeoutError:
            return _none("timeout", began)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return _none(_class_of(error), began)
        return Answer(
            status=status,
            error=None,
            body=body,
            retry_after_s=retry_after_seconds(retry_after, self._now()),
            duration_ms=_since(began),
        )

    async def _posted(
        self, endpoint: Endpoint, announcement: Announcement, credentials: Credentials
    ) -> tuple[int, str, str | None]:
        async with self._client.stream(
            "POST",
            endpoint.address,
            json={"content": announcement.content, "metadata": announcement.metadata},
            headers={
                "x-fabric-system-key": credentials.system_key.get_secret_value(),
                "Authorization": f"Bearer {credentials.bot_token.get_secret_value()}",
                "Idempotency-Key": announcement.event_id,
            },
        ) as response:
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) >= KEPT_BYTES:
                    break
            text = body[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
            return response.status_code, text, response.headers.get("retry-after")


def client() -> httpx2.AsyncClient:
    """Return a client that follows no redirects and reads no proxy from the environment."""
    return httpx2.AsyncClient(
        timeout=TIMEOUT_SECONDS,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "moot-announcer", "Accept-Encoding": "identity"},
    )


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


def _none(error: str, began: float) -> Answer:
    return Answer(None, error, "", None, _since(began))


def _class_of(error: Exception) -> str:
    return "timeout" if isinstance(error, httpx2.TimeoutException) else type(error).__name__


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
