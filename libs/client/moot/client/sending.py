"""Sending a request until it has an answer, without doing anything twice."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta

import httpx2

from moot.client.problems import MootUnreachableError, retry_after

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
MOST_ATTEMPTS = 100

GATEWAY_FAILED = frozenset({502, 504})


@dataclass(frozen=True, slots=True)
class Sender:
    """Repeats a request for up to `patience`, pausing longer each time.

    Whatever became of it the first time: a request reads, or carries an Idempotency-Key by which
    Moot knows it again.
    """

    http: httpx2.AsyncClient
    patience: timedelta

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """Return the last answer. Raises MootUnreachableError where there was none."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.patience.total_seconds()
        attempt = 0
        while True:
            response, fault = await self._attempt(request)
            asked = 0.0 if response is None else wait_asked_for(response)
            pause = pause_before(attempt, asked or 0.0)
            if asked is None or loop.time() + pause > give_up_at:
                if response is None:
                    raise MootUnreachableError(
                        f"{request.method} {request.url}: {fault!r}"
                    ) from fault
                return response
            await asyncio.sleep(pause)
            attempt += 1

    async def _attempt(
        self, request: httpx2.Request
    ) -> tuple[httpx2.Response, None] | tuple[None, httpx2.TransportError]:
        try:
            return await self.http.send(request), None
        except httpx2.TransportError as error:
            return None, error


def wait_asked_for(response: httpx2.Response) -> float | None:
    """The least seconds to wait before asking again; None if this answer is final."""
    asked = retry_after(response)
    match response.status_code:
        case 429 | 502 | 504:
            return asked or 0.0
        case 503 if asked is not None or not _is_a_problem(response):
            # Moot says when asking again may help; a proxy in front of it doesn't.
            return asked or 0.0
        case 409:
            # The same key is being worked on: the first answer will be this one's.
            return asked
        case _:
            return None


def pause_before(attempt: int, least: float = 0.0) -> float:
    """Seconds: doubled each time and shortened by chance, so that many don't come back at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 10))
    return least + longest * random.uniform(0.5, 1.0)  # noqa: S311 nothing is kept secret by it


def _is_a_problem(response: httpx2.Response) -> bool:
    media_type: str = response.headers.get("Content-Type", "")
    return media_type.startswith("application/problem+json")
