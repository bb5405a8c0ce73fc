"""uvicorn, as a job of the process: started on a bound socket, stopped by draining."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from moot.api.http_protocol import BoundedHttp
from moot.runtime.lifecycle import DRAIN_SECONDS, CannotStartError

_BACKLOG = 2048

log = structlog.stdlib.get_logger()


class AddressUnavailableError(CannotStartError):
    """The API can't listen there; the text says why."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are the process's: `moot.runtime.lifecycle` stops us."""
        yield


class HttpServer:
    """Serves an app. Requests in flight get an answer when it is drained."""

    def __init__(
        self,
        app: FastAPI,
        listening: socket.socket,
        protocol: type[BoundedHttp] = BoundedHttp,
    ) -> None:
        self._socket = listening
        self._stopped = asyncio.Event()
        self._server = _Server(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_graceful_shutdown=int(DRAIN_SECONDS) - 1,
            )
        )

    async def serve(self) -> None:
        host, port = self._socket.getsockname()[:2]
        log.info("http_listening", host=host, port=port)
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._stopped.set()

    async def drain(self) -> None:
        self._server.should_exit = True
        await self._stopped.wait()


def bind(host: str, port: int) -> socket.socket:
    """Raises AddressUnavailableError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise _unavailable(host, port, error) from error
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _unavailable(host, port, error) from error
    return bound


def _unavailable(host: str, port: int, error: OSError) -> AddressUnavailableError:
    return AddressUnavailableError(f"can't listen on {host}:{port}: {error.strerror or error}")
