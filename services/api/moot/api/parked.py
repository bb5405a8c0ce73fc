"""Reads of a topic with an event that its projection has set aside: what the rows say is old."""

from contextlib import suppress

from starlette.responses import Response

from moot.api.exchange import Api, Asked, check_readable, is_lenient, topic_not_found
from moot.api.problems import SOON, Problem
from moot.api.queries.checkpoints import Row, topic_readable
from moot.contracts.ids import TopicId
from moot.runtime.dispatch import UnreadableStreamError

PARKED = "Chronicle-Parked"


async def check_shown(api: Api, asked: Asked, topic_id: TopicId, first: Row) -> int | None:
    """Say that the topic's rows may be shown; where a lenient client gets old ones, as of when.

    `first` is the first row of a read: its `parked` is the position of the event that couldn't be
    applied. Raises Problem `topic-not-found` or `projection-parked`.
    """
    parked: int | None = first["parked"]
    if parked is None:
        if not topic_readable([first], asked.caller):
            raise topic_not_found()
        return None
    # What is set aside may have made the topic private.
    with suppress(UnreadableStreamError):
        await check_readable(api, asked, topic_id)
    if first["creator"] is None:
        raise _cannot_show(parked)
    return check_lenient(asked, parked)


def check_lenient(asked: Asked, parked: int) -> int:
    """Return `parked` for who would rather have old data. Raises Problem `projection-parked`."""
    if not is_lenient(asked.request):
        raise _cannot_show(parked)
    return parked


def _cannot_show(parked: int) -> Problem:
    detail = f"the event at position {parked} couldn't be applied"
    return Problem("projection-parked", detail, headers={**SOON, PARKED: str(parked)})


def saying_parked(response: Response, parked: int | None) -> Response:
    """Say in a header which event is missing in what is shown, if one is."""
    if parked is not None:
        response.headers[PARKED] = str(parked)
    return response
