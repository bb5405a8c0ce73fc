"""A receiver of announcements that answers what a test tells it to, and honours the key."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """`status` 0 closes the connection without an answer; `wait` holds the answer back.

    `bare` is sent as it is, instead of an HTTP answer, before the connection is closed.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    wait: asyncio.Event | None = None
    bare: bytes | None = None


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def key(self) -> str:
        """As Fabric has it, or Standard Webhooks."""
        return self.headers.get("idempotency-key") or self.headers["webhook-id"]

    @property
    def happened(self) -> str:
        """The short name of the announced event."""
        return self._about["type"].split(".")[2]

    @property
    def topic_id(self) -> str:
        return (self.body.get("data") or self._about)["topic_id"]

    @property
    def _about(self) -> dict[str, Any]:
        return self.body.get("metadata") or self.body


@dataclass
class Receiver:
    port: int = 0
    replies: list[Reply] = field(default_factory=list[Reply])
    """What to answer to the next posts; afterwards 201."""
    posts: list[Post] = field(default_factory=list[Post])
    """Every post that came, repeated ones too."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[Post]:
        """The posts that a receiver shows which knows a repeated key, in order."""
        return list({post.key: post for post in reversed(self.posts)}.values())[::-1]

    connections: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.answer(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in lines[1:] if line)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.posts.append(Post(lines[0].split(" ")[1], headers, body))
                reply = self.replies.pop(0) if self.replies else Reply(201)
                if reply.wait is not None:
                    await reply.wait.wait()
                if reply.bare is not None:
                    writer.write(reply.bare)
                    await writer.drain()
                if reply.status == 0 or reply.bare is not None:
                    return
                writer.write(_response(reply, len(self.posts)))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            return  # the announcer hung up
        finally:
            writer.close()


def _response(reply: Reply, seq: int) -> bytes:
    body = json.dumps({"messageId": f"m{seq}", "seq": seq}).encode()
    extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    head = f"HTTP/1.1 {reply.status} Answer\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.connected, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for connection in receiver.connections:
            connection.cancel()
        await asyncio.gather(*receiver.connections, return_exceptions=True)
