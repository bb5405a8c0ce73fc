"""A network between two processes that can be lost for a while: a TCP proxy."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from moot.cli.local.ports import LOOPBACK

READ_BYTES = 65536


class Line:
    """What is sent while it is `lost` arrives when it isn't any more, as TCP would have it."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._there = asyncio.Event()
        self._there.set()

    def lose(self) -> None:
        self._there.clear()

    def mend(self) -> None:
        self._there.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, to_server = await asyncio.open_connection(LOOPBACK, self._target)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._carry(reader, to_server))
            both.create_task(self._carry(answers, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(READ_BYTES):
                await self._there.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def line_to(port: int) -> AsyncGenerator[Line]:
    line = Line(port)
    server = await asyncio.start_server(line.connect, LOOPBACK, 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        line.mend()
        server.close()
