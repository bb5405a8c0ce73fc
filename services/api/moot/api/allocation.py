"""The draw of a topic's camps, for anyone to check."""

from collections.abc import Sequence

from pydantic_core import from_json
from starlette.responses import Response

from moot.api.exchange import Api, Asked, answer_resource, etag_of, wait_for_position
from moot.api.operations import Operation
from moot.api.parked import check_shown, saying_parked
from moot.api.problems import Problem
from moot.api.queries.checkpoints import Row
from moot.api.queries.draws import PROJECTIONS, read_draw
from moot.api.signups import signup_view_of_row
from moot.contracts.debates import CampSeat, Signup
from moot.contracts.topic_events import DrawEvidence
from moot.contracts.views import AllocationView
from moot.domain.allocation import recompute


async def get_allocation(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    await wait_for_position(api, asked, PROJECTIONS)
    rows = await read_draw(api.pool, topic_id)
    parked = await check_shown(api, asked, topic_id, rows[0])
    view = allocation_view(rows)
    if view is None:
        raise Problem("allocation-not-found")
    etag = etag_of(rows[0]["topic_position"], asked.caller)
    answer = answer_resource(asked, view, rows[0]["as_of"], etag)
    return saying_parked(answer, parked)


def allocation_view(rows: Sequence[Row]) -> AllocationView | None:
    """Show the draw, and draw again to say whether it holds. `rows`: of `queries.draws`.

    Before the draw it shows what was committed to; before that there is nothing.
    """
    draw = rows[0]
    if draw["algorithm"] is None:
        return None
    return _drawn(rows) if draw["secret"] is not None else _committed(draw)


def _committed(draw: Row) -> AllocationView:
    return AllocationView(
        algorithm=draw["algorithm"],
        commitment=draw["commitment"],
        committed_at=draw["committed_at"],
        commitment_late=(draw["signups_before"] or 0) > 0,
        secret=None,
        seed=None,
        signups_hash=None,
        signups=(),
        camps=(),
        backfilled=(),
        cancelled_reason=draw["cancelled_reason"],
        verified=None,
    )


def _drawn(rows: Sequence[Row]) -> AllocationView:
    draw = rows[0]
    evidence = DrawEvidence(
        algorithm=draw["algorithm"],
        secret=draw["secret"],
        seed=draw["seed"],
        signups_hash=draw["signups_hash"],
    )
    signups = tuple(signup_view_of_row(row) for row in rows if row["agent_id"] is not None)
    drawn_from = [
        Signup.model_validate({"agent_id": one.agent_id, "willing_camps": one.willing_camps})
        for one in signups
    ]
    camps = (
        ()
        if draw["camps"] is None
        else tuple(CampSeat.model_validate(seat) for seat in from_json(draw["camps"]))
    )
    check = recompute(evidence, drawn_from, draw["commitment"])
    backfilled = tuple(draw["backfilled"] or ())
    return _committed(draw).model_copy(
        update={
            **evidence.model_dump(),
            "signups": signups,
            "camps": camps,
            "backfilled": backfilled,
            "verified": check.confirms(camps, backfilled, draw["cancelled_reason"]),
        }
    )


OPERATIONS = (
    Operation(
        "GET",
        "/api/topics/{topic_id}/allocation",
        "get_allocation",
        "allocation",
        "Show the draw of the camps, or what it is committed to, and what is needed to check it",
        get_allocation,
        {200: AllocationView, 304: None},
        problems=(
            "topic-not-found",
            "allocation-not-found",
            "projection-behind",
            "projection-parked",
        ),
    ),
)
