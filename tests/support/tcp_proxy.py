"""A TCP proxy that can lose what the server answers, cut it up, hold it up, or cut the line."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

Seen = Callable[[object, bytes, bool], None]
"""Told which connection has let which bytes through, and whether the server sent them."""


def _not_looking(_connection: object, _data: bytes, _answers: bool) -> None:  # noqa: FBT001 a Seen
    pass


class TcpProxy:
    """While `losing`, what the server sends is dropped; what is sent to it arrives.

    While `flowing` isn't set, nothing gets through, and all of it later: a lost network.
    """

    def __init__(self, port: int, seen: Seen = _not_looking) -> None:
        self.losing = False
        self.piece = 65536
        """The most bytes that the client gets to read at once."""
        self.lost = asyncio.Event()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.port = 0
        self._target = port
        self._seen = seen
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection; the next ones are as good as new."""
        for writer in list(self._writers):
            writer.close()

    def say(self, text: bytes) -> None:
        """Send to every client as if the server had."""
        for writer in self._clients:
            writer.write(text)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, to_there}
        self._clients.add(writer)
        pumps = ((reader, to_there, False), (there, writer, True))
        try:
            async with asyncio.TaskGroup() as both:
                for source, into, answers in pumps:
                    both.create_task(self._pump(writer, source, into, answers=answers))
        finally:
            self._writers -= {writer, to_there}
            self._clients.discard(writer)

    async def _pump(
        self,
        connection: object,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if answers and self.losing:
                    self.lost.set()
                    continue
                await self.flowing.wait()
                self._seen(connection, data, answers)
                step = self.piece if answers else len(data)
                for begin in range(0, len(data), step):
                    writer.write(data[begin : begin + step])
                    await writer.drain()
                    await asyncio.sleep(0)  # the client's turn to read
        writer.close()


@asynccontextmanager
async def running_proxy(port: int, seen: Seen = _not_looking) -> AsyncGenerator[TcpProxy]:
    """A proxy before the server at `port` of 127.0.0.1."""
    proxy = TcpProxy(port, seen)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
