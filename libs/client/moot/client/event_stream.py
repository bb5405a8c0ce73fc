"""Server-sent events, as the HTML standard has them read (section 9.2.6)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(b"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Message:
    """`last_id` is the id of this message, or of an earlier one if this has none."""

    event: str
    data: str
    last_id: str


class EventStream:
    """Makes messages of bytes, however they are cut. One for each connection."""

    def __init__(self) -> None:
        self.retry_ms: int | None = None
        """How long the server asks to wait before connecting again."""
        self._buffer = b""
        self._begun = False
        self._event = ""
        self._data: list[str] = []
        self.last_id = ""
        """Of what is complete: where to go on when the connection ends now."""
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that are complete now."""
        self._buffer += chunk
        for line in self._lines():
            message = self._dispatched() if not line else self._field(line)
            if message is not None:
                yield message

    def _lines(self) -> Iterator[str]:
        start = 0
        for end in _LINE_END.finditer(self._buffer):
            if end.group() == b"\r" and end.end() == len(self._buffer):
                break  # the other half of a line end may still come
            line = self._buffer[start : end.start()]
            start = end.end()
            yield self._without_mark(line).decode("utf-8", errors="replace")
        self._buffer = self._buffer[start:]

    def _without_mark(self, line: bytes) -> bytes:
        """The stream may begin with a byte order mark, and only the stream."""
        if self._begun:
            return line
        self._begun = True
        return line.removeprefix(b"\xef\xbb\xbf")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\x00" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdecimal():
                self.retry_ms = int(value)
            case _:
                pass  # a comment, or what a later version of the standard says

    def _dispatched(self) -> Message | None:
        event, data = self._event, self._data
        self._event, self._data = "", []
        self.last_id = self._id
        return Message(event or "message", "\n".join(data), self.last_id) if data else None
