"""What happens, told as it happens: a topic's stream, and that of everything."""

import re

from pydantic import Field
from starlette.responses import Response

from moot.api.event_stream import MEDIA_TYPE, EventStream, Wish
from moot.api.exchange import (
    POSITIONS_END,
    Api,
    Asked,
    read_query,
    topic_not_found,
    wait_until_known,
)
from moot.api.held_keys import held_key
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.contracts.shape import Frozen
from moot.contracts.subjects import StreamName
from moot.contracts.views import EventView
from moot.runtime.fan_out import Judge

_POSITION = re.compile(r"[0-9]{1,18}")
_LAST_EVENT_ID = "last-event-id"


class StreamQuery(Frozen):
    after: int | None = Field(default=None, ge=0, lt=POSITIONS_END)
    """The position to go on from; without it, what happens from now on. `Last-Event-ID` counts
    more."""


async def stream_topic(api: Api, asked: Asked) -> Response:
    stream = StreamName("topic", asked.topic_id)
    last = await api.chronicle.last(stream)
    # Nothing else that was sent is looked at before: a hidden topic answers as a missing one.
    await wait_until_known(api, asked, 0 if last is None else last.position, or_more=False)
    if last is None or not api.live.readership.may_read(stream.subject, asked.caller):
        raise topic_not_found()
    judge = api.live.judge_topic(stream.subject, asked.caller)
    return await _stream(api, asked, judge, stream)


async def stream_chronicle(api: Api, asked: Asked) -> Response:
    return await _stream(api, asked, api.live.judge_everything(asked.caller), None)


async def _stream(api: Api, asked: Asked, judge: Judge, of: StreamName | None) -> Response:
    after = _after(asked)
    await wait_until_known(api, asked, after or 0)
    live = api.live
    wish = Wish(asked.caller, judge, of, after, held_key(api, asked))
    return EventStream(live.fan_out, api.chronicle, wish, live.pace)


def _after(asked: Asked) -> int | None:
    query = read_query(asked.request, StreamQuery)
    last = asked.request.headers.get(_LAST_EVENT_ID, "")
    if not last:
        return query.after
    if not _POSITION.fullmatch(last):
        raise Problem("invalid-header", "Last-Event-ID: the `id` of an event, an integer from 0")
    return int(last)


_PROBLEMS = ("invalid-request", "invalid-header", "projection-behind", "chronicle-unavailable")

OPERATIONS = (
    Operation(
        "GET",
        "/api/topics/{topic_id}/stream",
        "stream_topic",
        "live",
        "Hear what happens to a topic as it happens, by server-sent events",
        stream_topic,
        {200: EventView},
        query=StreamQuery,
        problems=("topic-not-found", *_PROBLEMS),
        media_types=(MEDIA_TYPE,),
    ),
    Operation(
        "GET",
        "/api/chronicle/stream",
        "stream_chronicle",
        "live",
        "Hear everything that one may see as it happens, by server-sent events",
        stream_chronicle,
        {200: EventView},
        query=StreamQuery,
        problems=_PROBLEMS,
        media_types=(MEDIA_TYPE,),
    ),
)
