"""Whole streams copied out of NATS and put back, by JetStream's own snapshots.

A snapshot has each message with its position and time, and the durable consumers with where they
are. Restored, it is the same stream to whoever knew it (`jetstream_api.created_at`).

The protocol: https://github.com/nats-io/nats-architecture-and-design (ADR-1's stream snapshot and
restore requests); `nats stream backup` and `restore` speak it too.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg

from moot.runtime.jetstream_api import JetStreamError, ask, parse
from moot.runtime.nats_connection import STATUS, LostAnswerError, NatsConnection

CHUNK_BYTES = 128 * 1024
RESTORE_CHUNK_BYTES = 8 * 1024
"""The server stores what is in a chunk before it takes the next, and gives up after 5 s of that."""
STALLED_SECONDS = 30.0
COMPLETE = "204"


class BackupError(Exception):
    """A stream couldn't be copied or put back; the text tells an operator why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream's configuration and state (messages, bytes, first_seq, last_seq, …), as of it."""

    config: dict[str, Any]
    state: dict[str, Any]


async def take(connection: NatsConnection, stream: str, write: Callable[[bytes], None]) -> Snapshot:
    """Hand the stream's content to `write`, piece by piece; others may go on appending to it.

    Raises BackupError, JetStreamError, LostAnswerError, and what `write` raises.
    """
    arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
    with connection.receiving(arrived.put_nowait) as inbox:
        asked = {"deliver_subject": inbox, "chunk_size": CHUNK_BYTES, "jsck": True}
        answer = await ask(connection, f"STREAM.SNAPSHOT.{stream}", asked, timeout=STALLED_SECONDS)
        while (chunk := await _next(arrived)).data:
            write(chunk.data)
            if chunk.reply:
                await connection.publish(chunk.reply, b"")
    status = (chunk.headers or {}).get(STATUS, COMPLETE)
    if status != COMPLETE:
        raise BackupError(f"NATS gave up copying {stream}: {status}")
    return Snapshot(answer["config"], answer["state"])


async def _next(arrived: asyncio.Queue[Msg | None]) -> Msg:
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            message = await arrived.get()
    except TimeoutError:
        raise LostAnswerError(f"nothing more came for {STALLED_SECONDS:.0f} s") from None
    if message is None:
        raise LostAnswerError("the connection broke")
    return message


async def put_back(
    connection: NatsConnection, stream: str, snapshot: Snapshot, content: Iterable[bytes]
) -> dict[str, Any]:
    """Make the stream anew from `content`, pieces of any size, and return its state.

    Raises BackupError where the stream exists or the server doesn't take it, JetStreamError,
    LostAnswerError.
    """
    asked = {"config": snapshot.config, "state": snapshot.state}
    answer = await ask(connection, f"STREAM.RESTORE.{stream}", asked)
    subject: str = answer["deliver_subject"]
    for piece in content:
        for at in range(0, len(piece), RESTORE_CHUNK_BYTES):
            chunk = piece[at : at + RESTORE_CHUNK_BYTES]
            _refused(await connection.request(subject, chunk, timeout=STALLED_SECONDS), subject)
    ended = await connection.request(subject, b"", timeout=STALLED_SECONDS)
    _refused(ended, subject)
    return parse(ended)["state"]


def _refused(answer: Msg, subject: str) -> None:
    error = parse(answer).get("error")
    if error is not None:
        raise JetStreamError(subject, error)
