"""What happens next by itself, and when: of every topic, so for admins only."""

from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.responses import Response

from moot.api.exchange import Api, Asked, read_query, topic_not_found, wait_for_position
from moot.api.lists import PageQuery, answer_with
from moot.api.operations import Operation
from moot.api.queries.checkpoints import Row
from moot.api.queries.deadlines import PROJECTIONS, list_deadlines
from moot.contracts.ids import TopicId, is_hex_id
from moot.contracts.views import PageView, WaitingDeadlineView

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE_BYTES: Final = 16
_POSITION_BITS: Final = 64


class DeadlinesQuery(PageQuery):
    topic: str | None = None
    """Only those of this topic, and of what is announced of it."""


async def list_all(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, DeadlinesQuery)
    if query.topic is not None and not is_hex_id(query.topic):
        raise topic_not_found()
    topic_id = None if query.topic is None else TopicId(query.topic)
    of = f"deadlines {query.topic}"
    start = 0 if query.cursor is None else api.cursors.read(of, query.cursor, _PLACE_BYTES)
    await wait_for_position(api, asked, PROJECTIONS)
    rows = await list_deadlines(api.pool, topic_id, _after(start), query.limit + 1)
    found = [row for row in rows if row["command"] is not None]
    page = found[: query.limit]
    more = len(found) > query.limit
    cursor = api.cursors.write(of, _place(page[-1]), _PLACE_BYTES) if more else None
    return answer_with(api, asked, [_view(row) for row in page], cursor, rows[0]["as_of"])


def _place(row: Row) -> int:
    """Due time and position as one number: many may be due at one instant."""
    micros = (row["due_at"] - _EPOCH) // timedelta(microseconds=1)
    return (micros << _POSITION_BITS) | row["position"]


def _after(place: int) -> tuple[datetime, int]:
    micros, position = divmod(place, 1 << _POSITION_BITS)
    return _EPOCH + timedelta(microseconds=micros), position


def _view(row: Row) -> WaitingDeadlineView:
    return WaitingDeadlineView(
        topic_id=None if row["topic_id"] is None else row["topic_id"].hex,
        stream=f"{row['category']}/{row['stream_id']}",
        command=row["command"],
        due_at=row["due_at"],
        round_no=row["round_no"],
        event_id=row["event_id"],
        position=row["position"],
    )


OPERATIONS = (
    Operation(
        "GET",
        "/api/deadlines",
        "list_deadlines",
        "deadlines",
        "List what happens next by itself, earliest first",
        list_all,
        {200: PageView[WaitingDeadlineView]},
        who="admins",
        query=DeadlinesQuery,
        problems=("topic-not-found", "invalid-request", "invalid-cursor", "projection-behind"),
    ),
)
