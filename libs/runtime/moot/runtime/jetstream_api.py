"""JetStream's own requests and answers, in JSON, and what its messages say in their headers."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.aio.msg import Msg

from moot.contracts.subjects import CHRONICLE
from moot.runtime.chronicle import Hole, Stored
from moot.runtime.nats_connection import REQUEST_SECONDS, LostAnswerError, NatsConnection
from moot.runtime.nats_frames import Frame

MESSAGE_ID = "Nats-Msg-Id"
_MESSAGE_ID = MESSAGE_ID.encode()
BUSY = {429, 503}
"""Codes that pass: too many batches at once, no leader just now."""
NOT_FOUND = 404
STREAM_NOT_FOUND = 10059
CREATED = "moot.created"
"""Metadata of a stream: when the first of its copies was made, in RFC 3339."""

_ACK_TOKENS = 9
_ACK_TOKENS_WITH_DOMAIN = 11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JetStreamError(Exception):
    """JetStream said no. `code` is like HTTP's, `number` JetStream's own for exactly this."""

    def __init__(self, subject: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{subject}: {error.get('description', error)}")
        self.code = int(error.get("code", 0))
        self.number = int(error.get("err_code", 0))


async def ask(
    connection: NatsConnection,
    request: str,
    body: Mapping[str, Any] | None = None,
    *,
    timeout: float = REQUEST_SECONDS,
) -> dict[str, Any]:
    """Ask `$JS.API.<request>`. Raises JetStreamError, LostAnswerError."""
    subject = f"$JS.API.{request}"
    payload = b"" if body is None else json.dumps(body).encode()
    answer = parse(await connection.request(subject, payload, timeout=timeout))
    if "error" in answer:
        raise JetStreamError(subject, answer["error"])
    return answer


async def stream_info(
    connection: NatsConnection, *, deleted_details: bool = False
) -> dict[str, Any]:
    """Return what the Chronicle's leader says of it; with details, `state.deleted` has each gap."""
    body = {"deleted_details": True} if deleted_details else None
    return await ask(connection, f"STREAM.INFO.{CHRONICLE}", body)


def created_at(info: Mapping[str, Any]) -> datetime:
    """Return when the stream was made first, also of one that was restored from a backup."""
    metadata: Mapping[str, str] = info["config"].get("metadata") or {}
    created: str = metadata.get(CREATED) or info["created"]
    return datetime.fromisoformat(created).astimezone(UTC)


async def holes(connection: NatsConnection) -> tuple[Hole, ...]:
    """Return where messages of the Chronicle are missing."""
    state = (await stream_info(connection))["state"]
    if state["messages"] == state["last_seq"]:
        return ()
    state = (await stream_info(connection, deleted_details=True))["state"]
    first = state["first_seq"] if state["messages"] else state["last_seq"] + 1
    found = [Hole(0, first)] if first > 1 else []
    for position in state.get("deleted") or ():
        if found and found[-1].before == position:
            found[-1] = Hole(found[-1].after, position + 1)
        elif position > first:
            found.append(Hole(position - 1, position + 1))
    return tuple(found)


def parse(message: Msg) -> dict[str, Any]:
    return json.loads(message.data) if message.data else {}


async def stored_message(connection: NatsConnection, wanted: Mapping[str, Any]) -> Stored | None:
    """Return one message of the Chronicle from its leader; None when there is no such message."""
    try:
        answer = await ask(connection, f"STREAM.MSG.GET.{CHRONICLE}", wanted)
    except JetStreamError as error:
        if error.code == NOT_FOUND and error.number != STREAM_NOT_FOUND:
            return None
        raise
    message = answer["message"]
    headers = base64.b64decode(message.get("hdrs", ""))
    return Stored(
        position=message["seq"],
        subject=message["subject"],
        id=_header(headers, MESSAGE_ID),
        body=base64.b64decode(message.get("data", "")),
        stored_at=datetime.fromisoformat(message["time"]).astimezone(UTC),
    )


def directly_read(message: Msg) -> Stored:
    """Read a message that a direct get sent: what it is stands in its headers."""
    headers: Mapping[str, str] = message.headers or {}
    return Stored(
        position=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        id=headers.get(MESSAGE_ID, ""),
        body=message.data,
        stored_at=datetime.fromisoformat(headers["Nats-Time-Stamp"]).astimezone(UTC),
    )


def delivered(frame: Frame) -> tuple[Stored, int, int]:
    """Read a message of a consumer: what is stored, its number there, and how many come after it.

    nats-py's `metadata` puts the timestamp through a float, which loses microseconds.
    """
    tokens = frame.reply.split(b".")
    if len(tokens) >= _ACK_TOKENS_WITH_DOMAIN:
        tokens = [*tokens[:2], *tokens[4:]]
    elif len(tokens) != _ACK_TOKENS:
        raise LostAnswerError(f"not a JetStream message: {frame.reply!r}")
    stored = Stored(
        int(tokens[5]),
        frame.subject.decode(),
        frame.header(_MESSAGE_ID) or "",
        frame.body,
        _EPOCH + timedelta(0, 0, int(tokens[7]) // 1000),
    )
    return stored, int(tokens[6]), int(tokens[8])


def _header(block: bytes, name: str) -> str:
    prefix = f"{name}:".encode()
    for line in block.split(b"\r\n"):
        if line.startswith(prefix):
            return line[len(prefix) :].strip().decode()
    return ""
