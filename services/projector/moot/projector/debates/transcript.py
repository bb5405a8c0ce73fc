"""`rounds`, `arguments` and `verdicts`: what was said, when, and what came of it."""

from collections.abc import Sequence

from pydantic_core import to_json

from moot.contracts.envelope import Recorded
from moot.contracts.topic_events import (
    ArgumentPosted,
    DebateStarted,
    RoundOpened,
    TopicEvent,
    VerdictSubmitted,
)
from moot.projector.rows import Row, write
from moot.runtime.database import Connection

ROUNDS = """
INSERT INTO rounds (topic_id, round_no, opened_at, closes_at, position)
SELECT * FROM unnest(
    $1::uuid[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[]
)
ON CONFLICT DO NOTHING
"""

ARGUMENTS = """
INSERT INTO arguments
    (argument_id, topic_id, round_no, camp, agent_id, content, posted_at, position)
SELECT * FROM unnest(
    $1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[], $8::bigint[]
)
ON CONFLICT DO NOTHING
"""

VERDICTS = """
INSERT INTO verdicts
    (topic_id, judge_id, verdict, rationale, token_cost, submitted_at, position)
SELECT topic_id, judge_id, verdict::jsonb, rationale, token_cost, submitted_at, position
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::bigint[]
) AS v (topic_id, judge_id, verdict, rationale, token_cost, submitted_at, position)
ON CONFLICT DO NOTHING
"""

STATEMENTS = (ROUNDS, ARGUMENTS, VERDICTS)

EVENTS: frozenset[type[TopicEvent]] = frozenset(
    {ArgumentPosted, DebateStarted, RoundOpened, VerdictSubmitted}
)


async def project(connection: Connection, batch: Sequence[tuple[Recorded, TopicEvent]]) -> None:
    rounds: list[Row] = []
    arguments: list[Row] = []
    verdicts: list[Row] = []
    for recorded, event in batch:
        if type(event) not in EVENTS:
            continue
        topic_id, position = recorded.stream.id, recorded.position
        match event:
            case ArgumentPosted():
                arguments.append(
                    (
                        recorded.envelope.id,
                        topic_id,
                        event.round_no,
                        event.camp,
                        event.agent_id,
                        event.content,
                        event.posted_at,
                        position,
                    )
                )
            case DebateStarted():
                rounds.append((topic_id, 0, event.fired_at, event.closes_at, position))
            case RoundOpened():
                rounds.append((topic_id, event.round_no, event.fired_at, event.closes_at, position))
            case VerdictSubmitted():
                verdicts.append(_verdict(topic_id, event, position))
            case _:
                pass
    await write(connection, ROUNDS, rounds)
    await write(connection, ARGUMENTS, arguments)
    await write(connection, VERDICTS, verdicts)


def _verdict(topic_id: str, event: VerdictSubmitted, position: int) -> Row:
    verdict = to_json(event.verdict).decode()
    cost, at = event.token_cost, event.submitted_at
    return (topic_id, event.judge_id, verdict, event.rationale, cost, at, position)
