"""What `reads` is held against: the API's own SELECTs, and what they find as JSON, nothing else."""

import asyncio
import socket
import sys

import uvicorn
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from moot.api.queries.arguments import list_arguments
from moot.api.queries.topics import Filter, list_topics, read_topic
from moot.contracts.debates import ANONYMOUS
from moot.contracts.ids import TopicId
from moot.runtime.database import Pool, connect_pool
from moot.runtime.settings import DatabaseSettings

NEWEST = 2**63 - 1


def _app(pool: Pool) -> Starlette:
    async def one(request: Request) -> Response:
        return _answer(await read_topic(pool, _topic(request), ANONYMOUS))

    async def listed(request: Request) -> Response:
        limit = int(request.query_params["limit"])
        wanted = Filter(None, None, mine=False)
        return _answer(*await list_topics(pool, wanted, NEWEST, limit, ANONYMOUS))

    async def transcript(request: Request) -> Response:
        limit = int(request.query_params["limit"])
        return _answer(*await list_arguments(pool, _topic(request), 0, limit + 1))

    return Starlette(
        routes=[
            Route("/api/topics", listed),
            Route("/api/topics/{topic_id}", one),
            Route("/api/topics/{topic_id}/arguments", transcript),
        ]
    )


def _topic(request: Request) -> TopicId:
    return TopicId(request.path_params["topic_id"])


def _answer(*rows: object) -> Response:
    return Response(to_json([dict(row) for row in rows]), media_type="application/json")  # pyright: ignore[reportCallIssue, reportArgumentType] rows of asyncpg


async def _serve(database_url: str) -> None:
    settings = DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)
    pool = await connect_pool(settings, name="bench-bare")
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listening.getsockname()[1], flush=True)  # noqa: T201 how its port is told
    config = uvicorn.Config(
        _app(pool), log_level="critical", access_log=False, lifespan="off", http="httptools"
    )
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvicorn.Config(app=_serve).get_loop_factory()) as runner:
        runner.run(_serve(sys.argv[1]))
