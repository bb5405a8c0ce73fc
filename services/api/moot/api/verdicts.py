"""A topic's verdict."""

from pydantic_core import from_json
from starlette.responses import Response

from moot.api.bodies import SubmitVerdictBody
from moot.api.exchange import (
    Api,
    Asked,
    answer_resource,
    answer_write,
    body_of,
    etag_of,
    obey,
    wait_for_position,
)
from moot.api.operations import Operation
from moot.api.parked import check_shown, saying_parked
from moot.api.problems import Problem
from moot.api.queries.checkpoints import Row
from moot.api.queries.verdicts import PROJECTIONS, read_verdict
from moot.contracts.envelope import Recorded
from moot.contracts.topic_commands import SubmitVerdict
from moot.contracts.topic_events import VerdictSubmitted
from moot.contracts.views import VerdictView
from moot.domain import topic


async def submit_verdict(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    body = await body_of(api, asked, SubmitVerdictBody)
    command = SubmitVerdict(
        by=asked.caller,
        verdict=body.verdict,
        rationale=body.rationale,
        token_cost=body.token_cost,
    )
    outcome = await obey(api, asked, topic, topic_id, command)
    response = answer_write(verdict_view(outcome.recorded[-1]), outcome, 201)
    response.headers["Location"] = f"/api/topics/{topic_id}/verdict"
    return response


async def get_verdict(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    await wait_for_position(api, asked, PROJECTIONS)
    row = await read_verdict(api.pool, topic_id)
    parked = await check_shown(api, asked, topic_id, row)
    if row["judge_id"] is None:
        raise Problem("verdict-not-found")
    view = verdict_view_of_row(row)
    etag = etag_of(view.position, asked.caller)
    return saying_parked(answer_resource(asked, view, row["as_of"], etag), parked)


def verdict_view(recorded: Recorded) -> VerdictView:
    event = recorded.event
    if not isinstance(event, VerdictSubmitted):
        raise TypeError(f"{event.type} is no verdict")
    return VerdictView(
        verdict=event.verdict,
        rationale=event.rationale,
        judge_id=event.judge_id,
        token_cost=event.token_cost,
        submitted_at=event.submitted_at,
        position=recorded.position,
    )


def verdict_view_of_row(row: Row) -> VerdictView:
    return VerdictView(
        verdict=from_json(row["verdict"]),
        rationale=row["rationale"],
        judge_id=row["judge_id"],
        token_cost=row["token_cost"],
        submitted_at=row["submitted_at"],
        position=row["position"],
    )


OPERATIONS = (
    Operation(
        "POST",
        "/api/topics/{topic_id}/verdict",
        "submit_verdict",
        "verdicts",
        "Return the verdict",
        submit_verdict,
        {201: VerdictView},
        who="callers",
        body=SubmitVerdictBody,
        example={
            "verdict": {"winner": "pro", "confidence": 0.7},
            "rationale": "Con never answered the point about waste.",
        },
        problems=(
            "topic-not-found",
            "verdict-exists",
            "not-judge",
            "too-early",
            "debate-not-open",
            "rationale-required",
            "rationale-too-long",
            "verdict-too-long",
            "verdict-does-not-match-schema",
            "idempotency-key-reused",
        ),
    ),
    Operation(
        "GET",
        "/api/topics/{topic_id}/verdict",
        "get_verdict",
        "verdicts",
        "Show the verdict",
        get_verdict,
        {200: VerdictView, 304: None},
        problems=("topic-not-found", "verdict-not-found", "projection-behind", "projection-parked"),
    ),
)
