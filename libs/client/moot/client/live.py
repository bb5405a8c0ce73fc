"""Events as they happen, across every connection that ends meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from datetime import timedelta

import httpx2

from moot.client.event_stream import EventStream
from moot.client.problems import MootUnreachableError, refusal_in
from moot.client.sending import pause_before, wait_asked_for
from moot.contracts.views import EventView

CONNECT_WITHIN_SECONDS = 15.0
SILENCE_SECONDS = 45.0
"""Moot says something every 15 s: who hears nothing for three times as long is cut off."""
LONGEST_RETRY_MS = 30_000
OWN_WORDS = frozenset({"reconnect", "reset"})
"""What the stream says of itself: both mean that it goes on in another connection."""
NO_CONTENT = 204


class _EndedError(Exception):
    """The connection is of no more use; the stream goes on in another, after `least` seconds."""

    def __init__(self, reason: str, least: float | None = None) -> None:
        super().__init__(reason)
        self.least = least


class _Following:
    """How far a stream has been followed, over all its connections."""

    def __init__(self, after: int | None, patience: timedelta) -> None:
        self.last = after
        self._patience = patience.total_seconds()
        self._stream = EventStream()
        self._failures = 0
        self._cut_off_at: float | None = None
        self._told_to_reconnect = False

    def connects(self) -> dict[str, str]:
        """Return the headers that say where to go on."""
        earlier, self._stream = self._stream, EventStream()
        self._stream.retry_ms = earlier.retry_ms
        self._told_to_reconnect = False
        return {} if self.last is None else {"Last-Event-ID": str(self.last)}

    def hears(self, chunk: bytes) -> Iterator[EventView]:
        self._failures, self._cut_off_at = 0, None
        for message in self._stream.feed(chunk):
            if message.event in OWN_WORDS:
                self._told_to_reconnect = True
            elif self._passes(message.last_id):
                yield EventView.model_validate_json(message.data)
        # A stream says where it begins before there is an event.
        self._passes(self._stream.last_id)

    def _passes(self, event_id: str) -> bool:
        """Go on to a position; False where that isn't ahead: it was here before."""
        if not (event_id.isascii() and event_id.isdecimal()):
            return False
        if self.last is not None and int(event_id) <= self.last:
            return False
        self.last = int(event_id)
        return True

    def fails(self, least: float | None, now: float) -> float | None:
        """Return how many seconds to wait before connecting again; None if patience is over."""
        if least is None:
            retry_ms = 0 if self._told_to_reconnect else self._stream.retry_ms or 0
            least = min(retry_ms, LONGEST_RETRY_MS) / 1000
        pause = pause_before(self._failures, least)
        if self._cut_off_at is None:
            self._cut_off_at = now
        elif now + pause > self._cut_off_at + self._patience:
            return None
        self._failures += 1
        return pause


async def follow(
    http: httpx2.AsyncClient,
    path: str,
    credentials: Mapping[str, str],
    query: Mapping[str, str],
    after: int | None,
    patience: timedelta,
) -> AsyncGenerator[EventView]:
    """Yield each event after a position once and in order, for ever; from now on without one.

    Connects again whenever a connection ends. Raises ProblemError where Moot refuses, and
    MootUnreachableError when there was no connection for longer than `patience`.
    """
    loop = asyncio.get_running_loop()
    following = _Following(after, patience)
    while True:
        try:
            async with aclosing(_connection(http, path, credentials, query, following)) as heard:
                async for event in heard:
                    yield event
            return
        except (httpx2.TransportError, _EndedError) as error:
            least = error.least if isinstance(error, _EndedError) else None
            pause = following.fails(least, loop.time())
            if pause is None:
                raise MootUnreachableError(f"GET {path}: {error!r}") from error
        await asyncio.sleep(pause)


async def _connection(
    http: httpx2.AsyncClient,
    path: str,
    credentials: Mapping[str, str],
    query: Mapping[str, str],
    following: _Following,
) -> AsyncGenerator[EventView]:
    headers = {**credentials, "Accept": "text/event-stream", **following.connects()}
    timeout = httpx2.Timeout(CONNECT_WITHIN_SECONDS, read=SILENCE_SECONDS)
    async with http.stream("GET", path, params=query, headers=headers, timeout=timeout) as response:
        await _check(response)
        if response.status_code == NO_CONTENT:
            return
        async for chunk in response.aiter_bytes():
            for event in following.hears(chunk):
                yield event
    raise _EndedError("the connection ended")


async def _check(response: httpx2.Response) -> None:
    if response.is_success:
        return
    await response.aread()
    asked = wait_asked_for(response)
    if asked is None:
        raise refusal_in(response)
    raise _EndedError(f"{response.status_code} {response.text}", asked)
