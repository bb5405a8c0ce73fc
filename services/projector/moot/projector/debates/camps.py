"""`camps` and `draws`: who sits where, and everything needed to check the draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Self

from pydantic_core import to_json

from moot.contracts.debates import Camp
from moot.contracts.envelope import Recorded
from moot.contracts.topic_events import (
    CampsAllocated,
    DrawCommitted,
    DrawEvidence,
    JudgeReplaced,
    TopicCancelled,
    TopicEvent,
)
from moot.projector.rows import Row, array_literal, write
from moot.runtime.database import Connection

SEAT = """
INSERT INTO camps AS c (topic_id, camp, agent_id, backfilled, position)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::bigint[])
ON CONFLICT (topic_id, camp) DO UPDATE
SET agent_id = excluded.agent_id, backfilled = excluded.backfilled, position = excluded.position
WHERE c.position < excluded.position
"""

DRAW = """
INSERT INTO draws AS d (
    topic_id, position, algorithm, commitment, committed_at, signups_before, secret, seed,
    signups_hash, camps, backfilled
)
SELECT
    topic_id, position, algorithm, commitment, committed_at, signups_before, secret, seed,
    signups_hash, camps::jsonb, backfilled::text[]
FROM unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::integer[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[]
) AS n (
    topic_id, position, algorithm, commitment, committed_at, signups_before, secret, seed,
    signups_hash, camps, backfilled
)
ON CONFLICT (topic_id) DO UPDATE
SET
    position = excluded.position,
    algorithm = coalesce(excluded.algorithm, d.algorithm),
    commitment = coalesce(excluded.commitment, d.commitment),
    committed_at = coalesce(excluded.committed_at, d.committed_at),
    signups_before = coalesce(excluded.signups_before, d.signups_before),
    secret = coalesce(excluded.secret, d.secret),
    seed = coalesce(excluded.seed, d.seed),
    signups_hash = coalesce(excluded.signups_hash, d.signups_hash),
    camps = coalesce(excluded.camps, d.camps),
    backfilled = coalesce(excluded.backfilled, d.backfilled)
WHERE d.position < excluded.position
"""

STATEMENTS = (SEAT, DRAW)


@dataclass(slots=True)
class Draw:
    """What a batch says of one topic's draw, in the order of the statement's parameters."""

    topic_id: str
    position: int = 0
    algorithm: str | None = None
    commitment: str | None = None
    committed_at: datetime | None = None
    signups_before: int | None = None
    secret: str | None = None
    seed: str | None = None
    signups_hash: str | None = None
    camps: str | None = None
    backfilled: str | None = None

    def row(self) -> Row:
        return _row(self)

    def commit(self, event: DrawCommitted, position: int) -> Self:
        self.position, self.algorithm = position, event.algorithm
        self.commitment, self.committed_at = event.commitment, event.committed_at
        self.signups_before = event.signups_before
        return self

    def draw(self, evidence: DrawEvidence, position: int) -> Self:
        self.position, self.algorithm = position, evidence.algorithm
        self.secret, self.seed = evidence.secret, evidence.seed
        self.signups_hash = evidence.signups_hash
        return self

    def allocate(self, event: CampsAllocated, position: int) -> Self:
        self.camps = to_json(event.camps).decode()
        self.backfilled = array_literal(event.backfilled)
        return self.draw(event.draw, position)


_row: Callable[[Draw], Row] = attrgetter(*Draw.__slots__)

EVENTS: frozenset[type[TopicEvent]] = frozenset(
    {DrawCommitted, CampsAllocated, TopicCancelled, JudgeReplaced}
)


async def project(connection: Connection, batch: Sequence[tuple[Recorded, TopicEvent]]) -> None:
    seats: dict[tuple[str, Camp], Row] = {}
    draws: dict[str, Draw] = {}
    for recorded, event in batch:
        if type(event) not in EVENTS:
            continue
        topic_id, position = recorded.stream.id, recorded.position
        draw = draws.get(topic_id) or Draw(topic_id)
        match event:
            case DrawCommitted():
                draws[topic_id] = draw.commit(event, position)
            case CampsAllocated():
                draws[topic_id] = draw.allocate(event, position)
                for seat in event.camps:
                    backfilled = seat.camp in event.backfilled
                    row = (topic_id, seat.camp, seat.agent_id, backfilled, position)
                    seats[topic_id, seat.camp] = row
            case TopicCancelled(draw=DrawEvidence() as evidence):
                draws[topic_id] = draw.draw(evidence, position)
            case JudgeReplaced():
                row = (topic_id, Camp.JUDGE, event.judge_id, False, position)
                seats[topic_id, Camp.JUDGE] = row
            case _:
                pass
    await write(connection, SEAT, list(seats.values()))
    await write(connection, DRAW, [draw.row() for draw in draws.values()])
