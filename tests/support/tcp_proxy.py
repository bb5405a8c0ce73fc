"""A TCP proxy that can lose what the server answers, cut it up, hold it up, or cut the line."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, suppress

from tests.support.waiting import turn_of_others

Seen = Callable[[bytes], None]
"""Told which bytes are let through to the server."""

HANG_UP_SECONDS = 15.0


def _not_looking(_data: bytes) -> None:
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
        self._over = False
        self._clients: set[asyncio.StreamWriter] = set()
        self._servers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection; the next ones are as good as new."""
        for writer in (*self._clients, *self._servers):
            writer.close()

    def hang_up(self) -> None:
        """Pass on what clients have sent, and nothing later, as the kernel does for the dead.

        The server carries that out, finds nobody there, and closes the connections.
        """
        self._over = True
        for client in self._clients:
            with suppress(OSError):  # gone already
                client.get_extra_info("socket").shutdown(socket.SHUT_RD)

    async def hung_up(self) -> None:
        """Return when no connection is left."""
        async with asyncio.timeout(HANG_UP_SECONDS):
            while self._serving:
                await asyncio.wait(self._serving)

    async def end(self) -> None:
        self._over = True
        self.cut()
        self.flowing.set()
        await self.hung_up()

    def say(self, text: bytes) -> None:
        """Send to every client as if the server had."""
        for writer in self._clients:
            writer.write(text)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._over:
            writer.close()
            return
        self._clients.add(writer)
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError):  # it may be that no server is there
            there, to_there = await asyncio.open_connection("127.0.0.1", self._target)
            with closing(to_there):
                self._servers.add(to_there)
                if not writer.is_closing():
                    async with asyncio.TaskGroup() as both:
                        both.create_task(self._ask(reader, to_there))
                        both.create_task(self._answer(there, writer))
            self._servers.discard(to_there)
        self._clients.discard(writer)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                self._seen(data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.losing:
                    self.lost.set()
                    continue
                await self.flowing.wait()
                for begin in range(0, len(data), self.piece):
                    writer.write(data[begin : begin + self.piece])
                    await writer.drain()
                    await turn_of_others()  # the client reads it
        writer.close()


@asynccontextmanager
async def running_proxy(port: int, seen: Seen = _not_looking) -> AsyncGenerator[TcpProxy]:
    """A proxy before the server at `port` of 127.0.0.1."""
    proxy = TcpProxy(port, seen)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
