"""One connection to NATS for a process: it reconnects without end, and loses no question.

Every request ends: with its answer, or with LostAnswerError when time is up, nobody is there to
answer, or the connection breaks. (nats-py's `publish_async` leaves some waiting for ever.)
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Protocol
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from moot.contracts.ids import is_safe_token
from moot.runtime.nats_frames import Frame, FrameClient, frame_of
from moot.runtime.nats_tls import nats_address
from moot.runtime.refusals import Refusals

_log = structlog.stdlib.get_logger(__name__)

STATUS = "Status"
NO_RESPONDERS = "503"
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 2.0
_CANCEL_AGAIN_SECONDS = 0.1
_PENDING_BYTES = 16 * 1024 * 1024


class LostAnswerError(Exception):
    """No answer came; what was asked for may have been done or not."""


class NatsSettings(Protocol):
    @property
    def nats_url(self) -> str: ...


class NatsConnection:
    """Shared by everything in a process that talks to NATS. `client` is nats-py's own."""

    def __init__(self) -> None:
        self.client = FrameClient()
        self.sessions = 0
        """How often it has connected: another number, and what was in flight is lost."""
        self.refusals = Refusals()
        self._trouble = ""
        """Why there is no connection, as far as anybody said."""
        self._connected = asyncio.Event()
        self._inbox = ""
        self._tokens = itertools.count()
        self._receivers: dict[str, Callable[[Msg | None], None]] = {}
        self._watchers: set[Callable[[], None]] = set()
        self._reported: set[str] = set()
        self._closing = False
        self._reopening: asyncio.Task[None] | None = None
        self._subscriptions: WeakSet[Subscription] = WeakSet()

    async def open(self, url: str, *, name: str) -> None:
        """Connect, waiting for the server as long as it takes."""
        connecting = asyncio.create_task(self._connect(url, name))
        try:
            await asyncio.wait({connecting})
        finally:
            await _end(connecting)
        connecting.result()

    async def _connect(self, url: str, name: str) -> None:
        client, address = self.client, nats_address(url)
        await client.connect(
            address.url,
            tls=address.tls,
            tls_handshake_first=address.tls is not None,
            name=name,
            inbox_prefix=inbox_prefix(url),
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_connected,
            closed_cb=partial(self._on_closed, url, name),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,  # pyright: ignore[reportArgumentType] seconds, fractions too
            ping_interval=5,
            max_outstanding_pings=2,
            pending_size=_PENDING_BYTES,
        )
        self._inbox = client.new_inbox()
        await self.subscribe(f"{self._inbox}.*", self._on_answer)
        await self._on_connected()

    async def close(self) -> None:
        self._closing = True
        if self._reopening is not None:
            self._reopening.cancel()
        for subscription in self._subscriptions:
            with suppress(NatsError):
                await subscription.unsubscribe()
        # While the server is away, nats-py writes what is pending to a dead socket.
        with suppress(OSError):
            await self.client.close()
        await self._on_disconnected()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    @property
    def absence(self) -> str:
        """Say that there is no connection, and why, if that is known."""
        return f"not connected to NATS: {self._trouble}".removesuffix(": ")

    async def until_connected(self) -> None:
        await self._connected.wait()

    async def subscribe(
        self, subject: str, receive: Callable[[Msg], Awaitable[None]]
    ) -> Subscription:
        """Hand each message on `subject` to `receive`, in order, whatever its number and size."""
        subscription = await self.client.subscribe(  # pyright: ignore[reportUnknownMemberType]
            subject, cb=receive, pending_msgs_limit=0, pending_bytes_limit=0
        )
        self._subscriptions.add(subscription)
        return subscription

    @asynccontextmanager
    async def tapping(self, subject: str, receive: Callable[[Frame], None]) -> AsyncGenerator[None]:
        """Hand each message on `subject` to `receive` as it is read, for a third of the cost."""

        async def receive_untapped(message: Msg) -> None:
            receive(frame_of(message))

        subscription = await self.subscribe(subject, receive_untapped)
        try:
            with self.client.tap(subscription, receive):
                yield
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    @contextmanager
    def watching(self, watcher: Callable[[], None]) -> Generator[None]:
        """Call `watcher` each time the connection breaks or is there again."""
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)

    @contextmanager
    def receiving(self, receiver: Callable[[Msg | None], None]) -> Generator[str]:
        """Hand to `receiver` what comes to the subject yielded; None when the connection breaks."""
        token = str(next(self._tokens))
        self._receivers[token] = receiver
        try:
            yield f"{self._inbox}.{token}"
        finally:
            self._receivers.pop(token, None)

    async def publish(
        self, subject: str, body: bytes, *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Raises LostAnswerError when there is no connection to publish on."""
        if not self.connected:
            raise LostAnswerError(self.absence)
        try:
            await self.client.publish(subject, body, reply=reply, headers=headers)
        except NatsError as error:
            raise LostAnswerError(repr(error)) from error

    async def request(
        self,
        subject: str,
        body: bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        timeout: float = REQUEST_SECONDS,
    ) -> Msg:
        """Return the answer. Raises LostAnswerError."""
        with self._expecting(timeout) as (reply, answer):
            await self.publish(subject, body, reply=reply, headers=headers)
            return await answer

    @asynccontextmanager
    async def asking(
        self,
        subject: str,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        timeout: float = REQUEST_SECONDS,
    ) -> AsyncGenerator[asyncio.Future[Msg]]:
        """Send a request now; the future has its answer, or LostAnswerError."""
        with self._expecting(timeout) as (reply, answer):
            await self.publish(subject, body, reply=reply, headers=headers)
            yield answer

    @contextmanager
    def _expecting(self, timeout: float) -> Generator[tuple[str, asyncio.Future[Msg]]]:
        """Yield where an answer is to be sent, and the future that gets it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Msg] = loop.create_future()
        token = str(next(self._tokens))
        self._receivers[token] = partial(_answer, answer)
        late = loop.call_later(timeout, _give_up, answer, f"no answer after {timeout:g} s")
        try:
            yield f"{self._inbox}.{token}", answer
        finally:
            late.cancel()
            self._receivers.pop(token, None)
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # seen, so that asyncio needn't log one nobody waited for

    async def _on_answer(self, message: Msg) -> None:
        receiver = self._receivers.get(message.subject.rpartition(".")[2])
        if receiver is not None:
            receiver(message)

    async def _on_connected(self) -> None:
        self.sessions += 1
        self._connected.set()
        self._reported.clear()
        self._trouble = ""
        self.refusals.forget()
        _log.info("nats_connected", session=self.sessions)
        self._tell_watchers()

    async def _on_disconnected(self) -> None:
        if not self._connected.is_set():
            return
        self._connected.clear()
        if not self._closing:
            _log.warning("nats_disconnected", closed=self.client.is_closed)
        for receiver in list(self._receivers.values()):
            receiver(None)
        self._tell_watchers()

    async def _on_closed(self, url: str, name: str) -> None:
        # nats-py gives up for good when the server says -ERR, e.g. to one who reads too slowly.
        if not self._closing:
            self.client = FrameClient()
            self._reopening = asyncio.create_task(self.open(url, name=name))

    def _tell_watchers(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    async def _on_error(self, error: Exception) -> None:
        # Five attempts a second fail alike while a server is away: one line says it.
        text = repr(error)
        # Who is refused may be hung up on before the refusal is read: what was said before counts.
        says_nothing = self._trouble and isinstance(error, ConnectionResetError | BrokenPipeError)
        if not self.refusals.note(error) and not self.connected and not says_nothing:
            self._trouble = str(error).removeprefix("nats: ").strip("'") or text
        if text not in self._reported:
            self._reported.add(text)
            _log.warning("nats_error", error=text)


async def connect(settings: NatsSettings, *, name: str = "moot") -> NatsConnection:
    """Return the process's connection. Raises LostAnswerError when there is none within 5 s."""
    connection = NatsConnection()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.open(settings.nats_url, name=name)
    except TimeoutError as error:
        await connection.close()
        raise LostAnswerError(connection.absence) from error
    return connection


def inbox_prefix(url: str) -> str:
    """Return what begins the subjects of answers: `_INBOX_<user>`, or `_INBOX` without a user.

    A user who may subscribe to no other prefix can't read others' answers.
    """
    user = unquote(urlsplit(url).username or "")
    return f"_INBOX_{user}" if is_safe_token(user) else "_INBOX"


def status_of(message: Msg) -> str | None:
    """Return the status of a message that has one, e.g. `404` for none found."""
    return header_of(message, STATUS)


def header_of(message: Msg, name: str) -> str | None:
    headers: Mapping[str, str] | None = message.headers
    return None if headers is None else headers.get(name)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel `task` until it has ended.

    nats-py connects by way of `asyncio.wait_for`, which before Python 3.12 forgets that it was
    cancelled when what it waits for ends in that moment (cpython issue 86296). Once in 150 times,
    somebody who had a wrong password waited for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_SECONDS)


def _answer(answer: asyncio.Future[Msg], message: Msg | None) -> None:
    if message is None:
        _give_up(answer, "the connection broke")
    elif status_of(message) == NO_RESPONDERS:
        _give_up(answer, "nobody is there to answer")
    elif not answer.done():
        answer.set_result(message)


def _give_up(answer: asyncio.Future[Msg], why: str) -> None:
    if not answer.done():
        answer.set_exception(LostAnswerError(why))
