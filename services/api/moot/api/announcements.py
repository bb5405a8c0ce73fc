"""What was announced of a topic, and what came of it."""

from collections.abc import Sequence

from pydantic import TypeAdapter
from pydantic_core import from_json
from starlette.responses import Response

from moot.api.exchange import Api, Asked, read_query, topic_not_found, wait_for_position
from moot.api.lists import PageQuery, answer_page, start_of
from moot.api.operations import Operation
from moot.api.parked import check_lenient, check_shown, saying_parked
from moot.api.queries.announcements import PROJECTIONS, list_announcements
from moot.api.queries.checkpoints import Row
from moot.contracts.delivery_views import AnnouncementView, AttemptView
from moot.contracts.ids import TopicId, is_hex_id
from moot.contracts.views import PageView


class AnnouncementsQuery(PageQuery):
    topic: str
    """The topic's id."""


async def list_all(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, AnnouncementsQuery)
    if not is_hex_id(query.topic):
        raise topic_not_found()
    of = f"announcements {query.topic}"
    after = start_of(api, query, of, 0)
    await wait_for_position(api, asked, PROJECTIONS)
    topic_id = TopicId(query.topic)
    is_admin = asked.caller.is_admin
    rows = await list_announcements(api.pool, topic_id, after, query.limit + 1, is_admin=is_admin)
    parked = await check_shown(api, asked, topic_id, rows[0])
    if parked is None and (unknown := rows[0]["unknown"]) is not None:
        missing = await _missing(api, unknown, topic_id, is_admin=is_admin)
        parked = None if missing is None else check_lenient(asked, missing)
    found = [
        (int(row["requested_position"]), _view(row, is_admin=is_admin))
        for row in rows
        if row["event_id"] is not None
    ]
    page = answer_page(api, asked, found, query, of, rows[0]["as_of"])
    return saying_parked(page, parked)


async def _missing(
    api: Api, positions: Sequence[int], topic_id: TopicId, *, is_admin: bool
) -> int | None:
    """Return the first of the positions, all of requests set aside, that the list would show."""
    for position in positions:
        stored = await api.chronicle.get(position)
        # An event that this code can't read is known by the topic's id somewhere in it.
        if stored is None or topic_id.encode() not in stored.body:
            continue
        if is_admin or _WEBHOOK not in stored.body:
            return position
    return None


def _view(row: Row, *, is_admin: bool) -> AnnouncementView:
    return AnnouncementView(
        delivery_id=f"{row['queue_id'].hex}/{row['event_id'].hex}",
        endpoint=from_json(row["endpoint"]) if is_admin else None,
        history=_history.validate_json(row["history"] or "[]"),
        event_id=row["event_id"].hex,
        event_type=row["event_type"],
        status=row["status"],
        attempts=row["attempts"],
        last_status=row["last_status"],
        last_error=row["last_error"],
        next_attempt_at=row["next_attempt_at"],
        requested_at=row["requested_at"],
        settled_at=row["settled_at"],
        position=row["position"],
    )


_WEBHOOK = b'"kind":"webhook"'

_history: TypeAdapter[tuple[AttemptView, ...]] = TypeAdapter(tuple[AttemptView, ...])

OPERATIONS = (
    Operation(
        "GET",
        "/api/announcements",
        "list_announcements",
        "announcements",
        "List what was announced of a topic",
        list_all,
        {200: PageView[AnnouncementView]},
        query=AnnouncementsQuery,
        problems=(
            "topic-not-found",
            "invalid-request",
            "invalid-cursor",
            "projection-behind",
            "projection-parked",
        ),
    ),
)
