"""Server-sent events: what happened after a position, then what happens, without gap or repeat."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from moot.api.http_protocol import HANG_UP
from moot.api.measuring import STREAMS
from moot.api.shown_events import event_view
from moot.contracts.debates import Caller
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Chronicle, ChronicleUnavailableError, Stored
from moot.runtime.fan_out import Ending, FanOut, Heard, Judge, Subscription, Verdict

MEDIA_TYPE = "text/event-stream"
LIFE_SECONDS = 600.0
LIFE_SPREAD_SECONDS = 30.0
"""A stream ends itself up to this much sooner: those that began together don't end together."""
COMMENT_SECONDS = 15.0
RETRY_MS: Final = (1000, 3000)
"""Between these, so that those who lost their server together don't come back together."""
PAGE: Final = 100
GRACE_SECONDS = 10.0
"""How long somebody who isn't reading has to take what was sent, once their stream is over."""
STALE_SECONDS = 0.05
PATIENCE_SECONDS = 10.0

COMMENT = b":\n\n"

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a stream lives and how often it says that it does; tests are in a hurry."""

    life_seconds: float = LIFE_SECONDS
    comment_seconds: float = COMMENT_SECONDS
    grace_seconds: float = GRACE_SECONDS


class HeldKey(Protocol):
    """A key that held when it was shown."""

    @property
    def subject(self) -> str:
        """Where its end would be recorded."""
        ...

    async def lasts(self) -> float | None:
        """Return for how many seconds it will hold yet, by what the Chronicle says now.

        None: until it is revoked. 0: it was revoked or replaced, or has expired.
        """
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose stream it is, and of what: of one stream of events, or, None, of all that they may see.

    `after`: the position to go on from; None is now. `key` is what the caller is known by.
    """

    caller: Caller
    judge: Judge
    of: StreamName | None
    after: int | None
    key: HeldKey | None


class EventStream(Response):
    media_type = MEDIA_TYPE

    def __init__(self, fan_out: FanOut, chronicle: Chronicle, wish: Wish, pace: Pace) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._fan_out = fan_out
        self._chronicle = chronicle
        self._caller = wish.caller
        self._judge = wish.judge
        self._of = wish.of
        self._position = fan_out.position if wish.after is None else wish.after
        self._pace = pace
        self._frame = "frame for anybody" if wish.caller.kind == "anonymous" else "frame"
        self._key = wish.key
        self._watching_key: Subscription | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._renewed = False
        self._subscription: Subscription | None = None
        self._left = False
        self._hang_up: Callable[[], None] = _nothing
        self._ends_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        spread = random.uniform(0, min(LIFE_SPREAD_SECONDS, self._pace.life_seconds / 10))  # noqa: S311 spreads, protects nothing
        self._ends_at = loop.time() + self._pace.life_seconds - spread
        self._hang_up = scope.get("extensions", {}).get(HANG_UP, {}).get("now", _nothing)
        # Whoever doesn't read can't be told that it is over.
        last = loop.call_at(self._ends_at + self._pace.grace_seconds, self._hang_up)
        leaving = asyncio.create_task(self._watch(receive))
        of = "everything" if self._of is None else self._of.category
        STREAMS.add(1, of)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async for chunk in self._chunks():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            STREAMS.add(-1, of)
            last.cancel()
            leaving.cancel()
            if self._expiry is not None:
                self._expiry.cancel()
            for one in (self._subscription, self._watching_key):
                if one is not None:
                    one.on_end = _nothing
                    self._fan_out.unsubscribe(one)

    async def _watch(self, receive: Receive) -> None:
        """Notice when the client is gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left = True
        if self._subscription is not None:
            self._subscription.end(Ending.LEFT)

    async def _chunks(self) -> AsyncGenerator[bytes]:
        # The id makes a client that has heard of nothing yet come back to this very place.
        retry = random.randint(*RETRY_MS)  # noqa: S311 spreads, protects nothing
        yield f"retry: {retry}\nid: {self._position}\n\n".encode()
        try:
            await self._watch_key()
            async for chunk in self._replayed():
                yield chunk
            if self._subscription is not None:
                async for chunk in self._live(self._subscription):
                    yield chunk
        except ChronicleUnavailableError as error:
            log.warning("stream_reset", reason=str(error))
            yield _last_word("reset", "chronicle-unavailable")

    async def _watch_key(self) -> None:
        """From here on, whatever ends the key ends the stream."""
        if self._key is None:
            return
        self._watching_key = self._fan_out.subscribe(self._key.subject, _end)
        self._watching_key.on_end = self._key_changed
        lasts = await self._key.lasts()
        if lasts == 0:
            self._renew()
        elif lasts is not None:
            self._expiry = asyncio.get_running_loop().call_later(lasts, self._renew)

    def _key_changed(self) -> None:
        if self._watching_key is not None and self._watching_key.ending is Ending.FORBIDDEN:
            self._renew()

    def _renew(self) -> None:
        """Whoever it is has to come again and say who they are."""
        self._renewed = True
        if self._subscription is not None:
            self._subscription.end(Ending.RENEWED)

    async def _replayed(self) -> AsyncGenerator[bytes]:
        """Yield what there is, until this stream is subscribed to what comes then."""
        while self._position < self._fan_out.position and not self._renewed:
            page = await self._page()
            known = [event for event in page if event.position <= self._fan_out.position]
            chunk, forbidden = self._judged(known)
            if chunk:
                yield chunk
            if forbidden or self._left:
                return
            if len(known) < PAGE:
                break
        subscription = self._subscribe()
        if self._position < subscription.position:
            async for chunk in self._up_to(subscription):
                yield chunk

    def _subscribe(self) -> Subscription:
        subject = None if self._of is None else self._of.subject
        subscription = self._fan_out.subscribe(subject, self._judge)
        subscription.on_end = self._over
        self._subscription = subscription
        if self._renewed:
            subscription.end(Ending.RENEWED)
        return subscription

    def _over(self) -> None:
        """Give somebody who isn't reading a last while to do so."""
        asyncio.get_running_loop().call_later(self._pace.grace_seconds, self._give_up)

    def _give_up(self) -> None:
        if self._subscription is not None and self._subscription.on_end is not _nothing:
            self._hang_up()

    async def _up_to(self, subscription: Subscription) -> AsyncGenerator[bytes]:
        """Yield what happened before the subscription and wasn't read yet."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        newest = await self._newest(subscription.position)
        while self._position < newest and subscription.ending is None:
            page = await self._page()
            earlier = [event for event in page if event.position <= subscription.position]
            chunk, forbidden = self._judged(earlier)
            if chunk:
                yield chunk
            if forbidden:
                subscription.end(Ending.FORBIDDEN)
            if len(earlier) < len(page):
                return
            if not page:
                if asyncio.get_running_loop().time() > deadline:
                    raise ChronicleUnavailableError(f"nothing up to {newest} can be read")
                await asyncio.sleep(STALE_SECONDS)  # a follower that doesn't know it yet

    async def _newest(self, position: int) -> int:
        """Return a position with which all is read that happened up to `position`."""
        if self._of is None:
            return position
        last = await self._chronicle.last(self._of)
        return 0 if last is None else last.position

    async def _page(self) -> list[Stored]:
        return await self._chronicle.page(self._position, PAGE, self._of)

    def _judged(self, events: Sequence[Stored]) -> tuple[bytes, bool]:
        """Return what the caller may see of them, and whether they may see nothing more."""
        told: list[Heard] = []
        for heard in map(Heard, events):
            verdict = self._judge(heard)
            if verdict is Verdict.END:
                return self._written(told), True
            if verdict is Verdict.TELL:
                told.append(heard)
            self._position = heard.stored.position
        return self._written(told), False

    async def _live(self, subscription: Subscription) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        beat = self._beat(subscription)
        comments_at = loop.time() + self._pace.comment_seconds
        try:
            while subscription.ending is None and loop.time() < self._ends_at:
                chunk = self._written(await subscription.next())
                if loop.time() >= beat.when():
                    beat = self._beat(subscription)
                if loop.time() >= comments_at:
                    comments_at = loop.time() + self._pace.comment_seconds
                    chunk += COMMENT
                if chunk:
                    yield chunk
            yield _farewell(subscription.ending)
        finally:
            beat.cancel()

    def _beat(self, subscription: Subscription) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        at = min(loop.time() + self._pace.comment_seconds, self._ends_at)
        return loop.call_at(at, subscription.wake)

    def _written(self, heard: Iterable[Heard]) -> bytes:
        frames: list[bytes] = []
        for one in heard:
            made = one.made.get(self._frame)
            if made is None:
                made = one.made[self._frame] = frame(one.stored, self._caller)
            frames.append(made)
        return b"".join(frames)


def frame(event: Stored, caller: Caller) -> bytes:
    """Return an event as it goes over the wire; nothing where nobody could read it."""
    view = event_view(event, caller)
    if view is None:
        return b""
    return f"id: {event.position}\nevent: {view.type}\ndata: {view.model_dump_json()}\n\n".encode()


def _farewell(ending: Ending | None) -> bytes:
    match ending:
        case None:
            return _last_word("reconnect", "age")
        case Ending.STOPPING | Ending.RENEWED:
            return _last_word("reconnect", ending.name.lower())
        case Ending.BEHIND | Ending.REPLACED:
            return _last_word("reset", ending.name.lower())
        case Ending.FORBIDDEN | Ending.LEFT:
            return b""  # what can't be seen any more isn't spoken of


def _last_word(event: str, reason: str) -> bytes:
    return f"event: {event}\ndata: {json.dumps({'reason': reason})}\n\n".encode()


def _end(_: Heard) -> Verdict:
    return Verdict.END


def _nothing() -> None:
    pass
