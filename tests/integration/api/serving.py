"""The API on a port, for what an answer in one piece can't show."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from moot.api.app import create_app
from moot.api.exchange import Api
from moot.api.server import HttpServer, bind
from moot.runtime.readiness import Readiness
from tests.support.waiting import until


@asynccontextmanager
async def served(api: Api) -> AsyncGenerator[int]:
    """The API's port. Streams end when it stops, as when its process does."""
    socket = bind("127.0.0.1", 0)
    server = HttpServer(create_app(api, Readiness()), socket)
    serving = asyncio.create_task(server.serve())
    port: int = socket.getsockname()[1]
    try:
        await until(lambda: _answers(port))
        yield port
    finally:
        await api.live.fan_out.stop()
        await server.drain()
        await serving


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True
