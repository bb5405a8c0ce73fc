"""Filling a Chronicle fast: atomic batches over many streams of events, one after another."""

from collections.abc import Iterable, Iterator
from itertools import islice

from bench.history import Written
from moot.contracts.envelope import CONTENT_TYPE
from moot.runtime.jetstream_api import parse
from moot.runtime.luck import new_id
from moot.runtime.nats_connection import NatsConnection

BATCH = 1000
"""The most that NATS takes at once."""


async def prefill(connection: NatsConnection, events: Iterable[Written]) -> int:
    """Append all of `events`; return the last one's position."""
    last = 0
    for batch in _batches(iter(events)):
        last = await _append(connection, batch)
    return last


def _batches(events: Iterator[Written]) -> Iterator[list[Written]]:
    while batch := list(islice(events, BATCH)):
        yield batch


async def _append(connection: NatsConnection, batch: list[Written]) -> int:
    name = new_id()
    for number, (stream, event_id, body) in enumerate(batch, start=1):
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Nats-Msg-Id": event_id,
            "Nats-Batch-Id": name,
            "Nats-Batch-Sequence": str(number),
        }
        if number == len(batch):
            headers["Nats-Batch-Commit"] = "1"
            answer = parse(
                await connection.request(stream.subject, body, headers=headers, timeout=30)
            )
            if "error" in answer:
                raise ValueError(answer["error"])
            return answer["seq"]
        if number == 1:
            opened = parse(await connection.request(stream.subject, body, headers=headers))
            if opened:
                raise ValueError(opened)
        else:
            await connection.publish(stream.subject, body, headers=headers)
    raise ValueError("nothing to append")
