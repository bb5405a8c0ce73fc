"""The Chronicle, event by event: listed, and one with what led to it and what it led to."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints
from pydantic_core import from_json
from starlette.responses import Response

from moot.api.exchange import (
    POSITIONS_END,
    Api,
    Asked,
    answer_read,
    read_query,
    wait_until_known,
)
from moot.api.lists import PageQuery, answer_with, start_of
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.api.shown_events import event_view
from moot.contracts.ids import SAFE_TOKEN
from moot.contracts.shape import Text
from moot.contracts.subjects import Category, StreamName
from moot.contracts.views import EventView, ExplainedEventView, PageView
from moot.runtime.chronicle import Stored

READ_AT_ONCE: Final = 100
LOOKED_AT: Final = 2000
"""Of how many events one answer is chosen, at most; the next page goes on from there."""
ANSWER_BYTES: Final = 4 * 1024 * 1024
NEAR: Final = 500
"""How many positions to either side causes and effects are looked for."""
MOST_RELATED: Final = 50


Of = StreamName | Category | None
"""What is read: one stream of events, a category, or everything."""


class EventsQuery(PageQuery):
    after: int = Field(default=0, ge=0, lt=POSITIONS_END)
    """The position to begin after."""
    category: Category | None = None
    id: Annotated[str, StringConstraints(pattern=SAFE_TOKEN)] | None = None
    """Of one stream of events, with its category: a topic's id, an agent's, ..."""
    type: Text | None = Field(default=None, max_length=200)

    @property
    def of(self) -> Of:
        """Raises Problem `invalid-request`."""
        if self.id is None:
            return self.category
        if self.category is None:
            raise Problem("invalid-request", "id needs category: ids are those of a category")
        return StreamName(self.category, self.id)


async def list_events(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, EventsQuery)
    list_name = f"chronicle {query.after} {query.category} {query.id} {query.type}"
    start = start_of(api, query, list_name, query.after)
    found = _Found(query.of, start)
    await wait_until_known(api, asked)
    await _look(api, asked, query, found)
    cursor = None if found.is_all else api.cursors.write(list_name, found.position)
    return answer_with(api, asked, found.views, cursor, api.live.fan_out.position)


class _Found:
    """What was found up to `position`."""

    def __init__(self, of: Of, position: int) -> None:
        self.of: Of = of
        self.position = position
        self.views: list[EventView] = []
        self.is_all = False
        self.bytes = 0
        self.looked_at = 0


async def _look(api: Api, asked: Asked, query: EventsQuery, found: _Found) -> None:
    # What nobody here has read yet may be hidden from the caller by then.
    end = api.live.fan_out.position
    while found.looked_at < LOOKED_AT:
        page = await api.chronicle.page(found.position, READ_AT_ONCE, found.of)
        for event in page:
            if event.position > end:
                found.is_all = True
                return
            if len(found.views) == query.limit or found.bytes > ANSWER_BYTES:
                return
            found.position = event.position
            found.looked_at += 1
            view = _shown(api, asked, event)
            if view is not None and query.type in {None, view.type}:
                found.views.append(view)
                found.bytes += len(event.body)
        if not page:
            found.is_all = True
            return


def _shown(api: Api, asked: Asked, event: Stored) -> EventView | None:
    return event_view(event, asked.caller) if api.live.shows(event, asked.caller) else None


async def get_event(api: Api, asked: Asked) -> Response:
    text: str = asked.request.path_params["position"]
    stored = await api.chronicle.get(int(text)) if _is_position(text) else None
    await wait_until_known(api, asked, 0 if stored is None else stored.position)
    view = None if stored is None else _shown(api, asked, stored)
    if stored is None or view is None:
        raise Problem("event-not-found", "there is no event at that position")
    before = [
        link async for link in _links(api, max(0, stored.position - 1 - NEAR), stored.position)
    ]
    after = [link async for link in _links(api, stored.position, stored.position + 1 + NEAR)]
    own = _link(stored)
    explained = ExplainedEventView(
        event=view,
        causes=await _views(api, asked, _causes(own, before)),
        effects=await _views(api, asked, _effects(own, after)),
        searched_after=max(0, stored.position - 1 - NEAR),
        searched_to=after[-1].position if after else stored.position,
    )
    return answer_read(explained, api.live.fan_out.position)


@dataclass(frozen=True, slots=True)
class _Link:
    position: int
    id: str
    causation_id: str


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0  # noqa: PLR2004 2^63 has as many digits


async def _links(api: Api, after: int, before: int) -> AsyncGenerator[_Link]:
    """Yield what is near, page by page: events may be large."""
    end = min(before, api.live.fan_out.position + 1)
    while True:
        page = await api.chronicle.page(after, READ_AT_ONCE)
        for event in page:
            if event.position >= end:
                return
            yield _link(event)
        if not page:
            return
        after = page[-1].position


def _link(event: Stored) -> _Link:
    try:
        document: Any = from_json(event.body)
        causation_id = document["causationid"]
    except (ValueError, TypeError, KeyError):
        causation_id = ""
    return _Link(event.position, event.id, str(causation_id))


def _causes(own: _Link, before: Sequence[_Link]) -> list[int]:
    """Return the positions of what led to an event, the first cause first."""
    causes: list[int] = []
    wanted = own.causation_id
    for link in reversed(before):
        if link.id == wanted:
            causes.append(link.position)
            wanted = link.causation_id
    return causes[:MOST_RELATED][::-1]


def _effects(own: _Link, after: Sequence[_Link]) -> list[int]:
    """Return the positions of what an event led to, at first or at second hand, in order."""
    effects: list[int] = []
    leading = {own.id}
    for link in after:
        if link.causation_id in leading:
            effects.append(link.position)
            leading.add(link.id)
    return effects[:MOST_RELATED]


async def _views(api: Api, asked: Asked, positions: Sequence[int]) -> tuple[EventView, ...]:
    found = [await api.chronicle.get(position) for position in positions]
    views = [_shown(api, asked, event) for event in found if event is not None]
    return tuple(view for view in views if view is not None)


OPERATIONS = (
    Operation(
        "GET",
        "/api/chronicle",
        "list_events",
        "chronicle",
        "List the events that one may see, in their order",
        list_events,
        {200: PageView[EventView]},
        query=EventsQuery,
        problems=(
            "invalid-request",
            "invalid-cursor",
            "projection-behind",
            "chronicle-unavailable",
        ),
    ),
    Operation(
        "GET",
        "/api/chronicle/{position}",
        "get_event",
        "chronicle",
        "Show an event, what led to it and what it led to",
        get_event,
        {200: ExplainedEventView},
        problems=("event-not-found", "projection-behind", "chronicle-unavailable"),
    ),
)
