"""A stand-in for a Fabric guild's announce channel, as a process of its own.

    python -m moot.cli.fabric_guild [--host H] [--port N] [--channel ID]... [--closed-channel ID]...

It asks for the credentials in FABRIC_SYSTEM_API_KEY and FABRIC_BOT_BEARER_TOKEN, as an announcer
sends them, and prints one line when it can be reached: `{"base_url": "http://HOST:PORT"}`.

`POST /api/channels/{id}/messages` answers as Fabric does. A repeated Idempotency-Key gets the first
answer again and posts nothing. `GET` of the same address lists the channel's messages in the order
in which they came, each with how often it was received; `?after=SEQ` only those after a place, and
`&wait=SECONDS` holds the answer back until there is one.
"""

import argparse
import asyncio
import hmac
import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import uvicorn
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from moot.cli.local.ports import LOOPBACK

LONGEST_WAIT_SECONDS = 30.0
STOPS_WITHIN_SECONDS = 1


@dataclass(frozen=True, slots=True)
class GuildCredentials:
    system_key: str
    bearer_token: str


@dataclass(slots=True)
class PostedMessage:
    message_id: str
    seq: int
    """The message's place in its channel, from 1."""
    content: str
    metadata: dict[str, Any]
    idempotency_key: str
    posted_at: datetime
    times_received: int = 1

    @property
    def answer(self) -> dict[str, Any]:
        return {"messageId": self.message_id, "seq": self.seq}

    @property
    def listed(self) -> dict[str, Any]:
        return {
            **self.answer,
            "content": self.content,
            "metadata": self.metadata,
            "idempotencyKey": self.idempotency_key,
            "postedAt": self.posted_at.isoformat(),
            "timesReceived": self.times_received,
        }


@dataclass(slots=True)
class Channel:
    closed: bool = False
    messages: list[PostedMessage] = field(default_factory=list[PostedMessage])
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def after(self, seq: int, wait_seconds: float) -> list[PostedMessage]:
        """Return what comes after a place, as soon as there is something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds), self.arrived:
                await self.arrived.wait_for(lambda: len(self.messages) > seq)
        return self.messages[seq:]

    def post(self, draft: "Draft", idempotency_key: str) -> PostedMessage:
        """Append the draft, or find what the same key posted before."""
        for message in self.messages:
            if message.idempotency_key == idempotency_key:
                message.times_received += 1
                return message
        message = PostedMessage(
            message_id=uuid4().hex,
            seq=len(self.messages) + 1,
            content=draft.content,
            metadata=draft.metadata,
            idempotency_key=idempotency_key,
            posted_at=datetime.now(UTC),
        )
        self.messages.append(message)
        return message


class Draft(BaseModel):
    content: str
    metadata: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class FabricGuild:
    credentials: GuildCredentials
    channels: dict[str, Channel]

    def application(self) -> Starlette:
        path = "/api/channels/{channel_id}/messages"
        return Starlette(
            routes=[
                Route(path, self.post_message, methods=["POST"]),
                Route(path, self.list_messages, methods=["GET"]),
            ]
        )

    async def post_message(self, request: Request) -> JSONResponse:
        if not _same(request.headers.get("x-fabric-system-key"), self.credentials.system_key):
            return _refusal(403, "announce_system_only")
        bearer = f"Bearer {self.credentials.bearer_token}"
        if not _same(request.headers.get("authorization"), bearer):
            return _refusal(401, "unauthorized")
        channel = self.channels.get(request.path_params["channel_id"])
        if channel is None:
            return _refusal(404, "unknown_channel")
        if channel.closed:
            return _refusal(409, "channel_closed")
        try:
            draft = Draft.model_validate_json(await request.body())
        except ValidationError:
            return _refusal(422, "malformed_message")
        # A post without a key is a message of its own each time, as at any receiver.
        key = request.headers.get("idempotency-key", uuid4().hex)
        message = channel.post(draft, key)
        async with channel.arrived:
            channel.arrived.notify_all()
        return JSONResponse(message.answer, status_code=201)

    async def list_messages(self, request: Request) -> JSONResponse:
        channel = self.channels.get(request.path_params["channel_id"])
        if channel is None:
            return _refusal(404, "unknown_channel")
        try:
            after = max(int(request.query_params.get("after", "0")), 0)
            wait_seconds = float(request.query_params.get("wait", "0"))
        except ValueError:
            return _refusal(422, "malformed_query")
        messages = await channel.after(after, min(wait_seconds, LONGEST_WAIT_SECONDS))
        return JSONResponse({"items": [message.listed for message in messages]})


def _same(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), wanted.encode())


def _refusal(status: int, code: str) -> JSONResponse:
    return JSONResponse({"error": code}, status_code=status)


def main() -> None:
    options = _options()
    guild = FabricGuild(
        credentials=GuildCredentials(
            system_key=os.environ["FABRIC_SYSTEM_API_KEY"],
            bearer_token=os.environ["FABRIC_BOT_BEARER_TOKEN"],
        ),
        channels={channel: Channel() for channel in options.channel}
        | {channel: Channel(closed=True) for channel in options.closed_channel},
    )
    # Listening before the line is printed: whoever reads it can connect, if not yet be answered.
    with socket.create_server((options.host, options.port)) as listener:
        port = listener.getsockname()[1]
        print(json.dumps({"base_url": f"http://{options.host}:{port}"}), flush=True)  # noqa: T201
        config = uvicorn.Config(
            guild.application(),
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=STOPS_WITHIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="moot.cli.fabric_guild", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--channel", action="append", default=[], help="an open channel's id")
    parser.add_argument("--closed-channel", action="append", default=[], help="one that is closed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
