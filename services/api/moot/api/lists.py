"""Lists, a page at a time: `limit`, `cursor`, and where the next page is."""

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, Field
from starlette.responses import Response

from moot.api.exchange import Api, Asked, answer_read, check_readable, read_query
from moot.api.problems import Problem
from moot.contracts.shape import Frozen
from moot.contracts.views import PageView

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

ItemT = TypeVar("ItemT", bound=BaseModel)


class PageQuery(Frozen):
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = Field(default=None, max_length=200)


async def page_of(api: Api, asked: Asked, of: str) -> tuple[PageQuery, int]:
    """Return the query of a list that belongs to a topic, and the position its page begins after.

    A topic that is hidden is said not to exist before anything is said about the query.
    """
    try:
        query = read_query(asked.request, PageQuery)
        return query, start_of(api, query, of, 0)
    except Problem:
        await check_readable(api, asked)
        raise


def start_of(api: Api, query: PageQuery, of: str, start: int) -> int:
    """Return the position that the page begins at, which is `start` for the first."""
    return start if query.cursor is None else api.cursors.read(of, query.cursor)


def answer_page(
    api: Api,
    asked: Asked,
    found: Sequence[tuple[int, ItemT]],
    query: PageQuery,
    of: str,
    as_of: int,
) -> Response:
    """Answer with a page; `found` has each item's place, and one more than fits if there are more.

    `of` names the list with its filters.
    """
    more = len(found) > query.limit
    cursor = api.cursors.write(of, found[query.limit - 1][0]) if more else None
    return answer_with(api, asked, [item for _, item in found[: query.limit]], cursor, as_of)


def answer_with(
    api: Api, asked: Asked, items: Sequence[ItemT], cursor: str | None, as_of: int
) -> Response:
    """Answer with a page, and where the next one begins, if there is one."""
    view = PageView(items=tuple(items), next=cursor)
    response = answer_read(view, as_of)
    if cursor is not None:
        response.headers["Link"] = f'<{_address(api, asked, cursor)}>; rel="next"'
    return response


def _address(api: Api, asked: Asked, cursor: str) -> str:
    query = {**asked.request.query_params, "cursor": cursor}
    path: bytes = asked.request.scope["raw_path"]
    return f"{(api.public_url or '').rstrip('/')}{path.decode()}?{urlencode(query)}"
