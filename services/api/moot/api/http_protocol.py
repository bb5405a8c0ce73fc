"""HTTP as it comes over the wire, with an end to how much and how long somebody may send."""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from http import HTTPStatus
from typing import ClassVar, cast

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from moot.api.problems import MEDIA_TYPE, Problem, problem_view

MAX_HEAD_BYTES = 64 * 1024
HANG_UP = "moot.hang_up"
"""An ASGI extension: `now()` ends the connection without waiting for what wasn't sent."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, which keeps heads without limit and waits for ever, for bodies too.

    What can't be answered by a route, as it isn't HTTP or is too much of it, is a problem too.
    """

    head_seconds: ClassVar[float] = 10.0
    """How long a connection may take for a request's head; between requests uvicorn watches."""

    body_seconds: ClassVar[float] = 30.0
    """How long its body may take after its head."""

    _head_bytes = 0
    _in_head = False
    _in_body = False
    _waiting: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self._begin_waiting(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(Problem("head-limit-exceeded"))
            else:
                # A head that comes in one piece, as most do, needs no timer.
                self._begin_waiting(self.head_seconds)
        elif self._in_body:
            self._begin_waiting(self.body_seconds)
        elif self._is_idle():
            # Line ends before a request: nothing that would be a message yet.
            self._begin_waiting(self.head_seconds)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"now": self.transport.abort}}
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._end_waiting()
        super().on_headers_complete()
        self.cycle.transport = cast("Transport", _Answering(self.transport, self.loop))

    def on_message_complete(self) -> None:
        self._in_body = False
        self._end_waiting()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem("malformed-request", msg))

    def _is_idle(self) -> bool:
        # uvicorn has no request before the first one, which its types don't say.
        cycle = cast("object | None", self.cycle)
        return cycle is None or self.cycle.response_complete

    def _may_answer(self) -> bool:
        """Whether an answer now is to what is refused, not to an earlier request."""
        if self._is_idle():
            return True
        return self._in_body and not self.pipeline and not self.cycle.response_started

    def _begin_waiting(self, seconds: float) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(seconds, self._give_up)

    def _end_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if self._in_head:
            self._refuse(Problem("request-timeout", "the head took too long to arrive"))
        elif self._in_body and not self.cycle.response_started:
            self._refuse(Problem("request-timeout", "the body took too long to arrive"))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        if self._may_answer():
            self.transport.write(_answer(problem))
        self.transport.close()


class _Answering:
    """Where one answer is written: its head goes with what follows, in one call of the system.

    That takes a seventh off what a small answer costs. The head waits to the end of the event
    loop's turn at most, as the body of a stream may come any time.
    """

    __slots__ = ("_begun", "_head", "_loop", "_transport")

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._begun = False
        self._head = b""

    def write(self, data: bytes) -> None:
        if not self._begun:
            self._begun, self._head = True, data
            self._loop.call_soon(self._send_head)
            return
        head, self._head = self._head, b""
        self._transport.write(head + data if head else data)

    def close(self) -> None:
        self._send_head()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _send_head(self) -> None:
        if self._head and not self._transport.is_closing():
            self.write(b"")


def _answer(problem: Problem) -> bytes:
    body = to_json(problem_view(problem, "", None))
    phrase = HTTPStatus(problem.status).phrase
    head = (
        f"HTTP/1.1 {problem.status} {phrase}\r\n"
        f"content-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
