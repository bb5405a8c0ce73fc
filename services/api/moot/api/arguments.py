"""Arguments of a topic."""

from starlette.responses import Response

from moot.api.bodies import PostArgumentBody
from moot.api.exchange import (
    Api,
    Asked,
    answer_write,
    body_of,
    obey,
    wait_for_position,
)
from moot.api.lists import PageQuery, answer_page, page_of
from moot.api.operations import Operation
from moot.api.parked import check_shown, saying_parked
from moot.api.queries.arguments import PROJECTIONS, list_arguments
from moot.api.queries.checkpoints import Row
from moot.contracts.debates import Camp
from moot.contracts.envelope import Recorded
from moot.contracts.shape import checked
from moot.contracts.topic_commands import PostArgument
from moot.contracts.topic_events import ArgumentPosted
from moot.contracts.views import ArgumentView, PageView
from moot.domain import topic


async def post_argument(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    body = await body_of(api, asked, PostArgumentBody)
    command = PostArgument(by=asked.caller, content=body.content)
    outcome = await obey(api, asked, topic, topic_id, command)
    response = answer_write(argument_view(outcome.recorded[-1]), outcome, 201)
    response.headers["Location"] = f"/api/topics/{topic_id}/arguments"
    return response


async def list_all(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    of = f"arguments {topic_id}"
    query, after = await page_of(api, asked, of)
    await wait_for_position(api, asked, PROJECTIONS)
    rows = await list_arguments(api.pool, topic_id, after, query.limit + 1)
    parked = await check_shown(api, asked, topic_id, rows[0])
    found = [
        (int(row["position"]), argument_view_of_row(row))
        for row in rows
        if row["argument_id"] is not None
    ]
    page = answer_page(api, asked, found, query, of, rows[0]["as_of"])
    return saying_parked(page, parked)


def argument_view(recorded: Recorded) -> ArgumentView:
    event = recorded.event
    if not isinstance(event, ArgumentPosted):
        raise TypeError(f"{event.type} is no argument")
    return ArgumentView(
        id=recorded.envelope.id,
        camp=event.camp,
        agent_id=event.agent_id,
        round_no=event.round_no,
        content=event.content,
        posted_at=event.posted_at,
        position=recorded.position,
    )


def argument_view_of_row(row: Row) -> ArgumentView:
    fields = {
        "id": row["argument_id"].hex,
        "camp": Camp(row["camp"]),
        "agent_id": row["agent_id"],
        "round_no": row["round_no"],
        "content": row["content"],
        "posted_at": row["posted_at"],
        "position": row["position"],
    }
    return checked(ArgumentView, fields)


OPERATIONS = (
    Operation(
        "POST",
        "/api/topics/{topic_id}/arguments",
        "post_argument",
        "arguments",
        "Post an argument",
        post_argument,
        {201: ArgumentView},
        who="callers",
        body=PostArgumentBody,
        example={"content": "Tap water is tested more often than bottled water."},
        problems=(
            "topic-not-found",
            "not-in-camp",
            "debate-not-open",
            "content-empty",
            "content-too-long",
            "idempotency-key-reused",
        ),
    ),
    Operation(
        "GET",
        "/api/topics/{topic_id}/arguments",
        "list_arguments",
        "arguments",
        "List arguments in the order in which they were posted",
        list_all,
        {200: PageView[ArgumentView]},
        query=PageQuery,
        problems=(
            "topic-not-found",
            "invalid-request",
            "invalid-cursor",
            "projection-behind",
            "projection-parked",
        ),
    ),
)
