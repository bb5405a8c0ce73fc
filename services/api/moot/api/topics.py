"""Topics: propose, list, show, amend, publish, cancel, replace the judge."""

from typing import Any

from starlette.responses import Response

from moot.api.bodies import (
    AmendTopicBody,
    CancelTopicBody,
    ProposeTopicBody,
    ReplaceJudgeBody,
    SetVisibilityBody,
    read_body,
)
from moot.api.callers import credentials_required
from moot.api.exchange import (
    Api,
    Asked,
    answer_resource,
    answer_write,
    body_of,
    etag_of,
    obey,
    read_query,
    wait_for_position,
)
from moot.api.lists import PageQuery, answer_page, start_of
from moot.api.operations import Operation
from moot.api.parked import check_shown, saying_parked
from moot.api.queries.topics import PROJECTIONS, Filter, list_topics, read_topic
from moot.api.topic_views import topic_view_of_row, topic_view_of_state
from moot.api.verdict_schemas import registered_schema
from moot.contracts.debates import Stage, Visibility
from moot.contracts.ids import TopicId, derived_id
from moot.contracts.topic_commands import (
    AmendTopic,
    CancelTopic,
    ProposeTopic,
    ReplaceJudge,
    SetVisibility,
    TopicCommand,
)
from moot.contracts.views import PageView, TopicView
from moot.domain import topic
from moot.domain.topic_stages import Born, TopicState
from moot.runtime.deciding import Outcome

_NEWEST = 2**63 - 1


class TopicsQuery(PageQuery):
    status: Stage | None = None
    visibility: Visibility | None = None
    mine: bool = False
    """Only those that the caller created or signed up to."""


async def propose_topic(api: Api, asked: Asked) -> Response:
    body = await read_body(asked.request, ProposeTopicBody)
    command = ProposeTopic(
        by=asked.caller,
        title=body.title,
        summary=body.summary,
        schedule=body.schedule,
        rounds=body.rounds,
        verdict_schema_id=body.verdict_schema_id,
        verdict_schema=await registered_schema(api, body.verdict_schema_id),
        visibility=body.visibility,
        invited_agents=body.invited_agents,
        announce_to=body.announce_to,
    )
    topic_id = TopicId(derived_id("topic", asked.command_id))
    outcome = await obey(api, asked, topic, topic_id, command)
    response = _answer(asked, topic_id, outcome, 201)
    response.headers["Location"] = f"/api/topics/{topic_id}"
    return response


async def list_all(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, TopicsQuery)
    if query.mine and asked.caller.kind == "anonymous":
        raise credentials_required()
    of = f"topics {query.status} {query.visibility} {query.mine}"
    before = start_of(api, query, of, _NEWEST)
    await wait_for_position(api, asked, PROJECTIONS)
    wanted = Filter(query.status, query.visibility, query.mine)
    rows = await list_topics(api.pool, wanted, before, query.limit, asked.caller)
    found = [
        (int(row["created_position"]), topic_view_of_row(row, asked.caller))
        for row in rows
        if row["topic_id"] is not None
    ]
    page = answer_page(api, asked, found, query, of, rows[0]["as_of"])
    return saying_parked(page, rows[0]["parked"])


async def get_topic(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    await wait_for_position(api, asked, PROJECTIONS)
    row = await read_topic(api.pool, topic_id, asked.caller)
    parked = await check_shown(api, asked, topic_id, row)
    view = topic_view_of_row(row, asked.caller)
    etag = etag_of(view.position, asked.caller)
    return saying_parked(answer_resource(asked, view, row["as_of"], etag), parked)


async def amend_topic(api: Api, asked: Asked) -> Response:
    body = await body_of(api, asked, AmendTopicBody)
    return await _change(
        api,
        asked,
        AmendTopic(
            by=asked.caller,
            title=body.title,
            summary=body.summary,
            signup_open_at=body.signup_open_at,
            signup_close_at=body.signup_close_at,
            debate_start_at=body.debate_start_at,
            debate_end_at=body.debate_end_at,
            verdict_due_at=body.verdict_due_at,
            invited_agents=body.invited_agents,
            announce_to=body.announce_to,
        ),
    )


async def set_visibility(api: Api, asked: Asked) -> Response:
    body = await body_of(api, asked, SetVisibilityBody)
    return await _change(api, asked, SetVisibility(by=asked.caller, visibility=body.visibility))


async def cancel_topic(api: Api, asked: Asked) -> Response:
    body = await body_of(api, asked, CancelTopicBody)
    return await _change(api, asked, CancelTopic(by=asked.caller, reason=body.reason))


async def replace_judge(api: Api, asked: Asked) -> Response:
    body = await body_of(api, asked, ReplaceJudgeBody)
    return await _change(api, asked, ReplaceJudge(by=asked.caller, agent_id=body.agent_id))


async def _change(api: Api, asked: Asked, command: TopicCommand) -> Response:
    outcome = await obey(api, asked, topic, asked.topic_id, command)
    return _answer(asked, asked.topic_id, outcome)


def _answer(
    asked: Asked, topic_id: TopicId, outcome: Outcome[TopicState], status: int = 200
) -> Response:
    view = topic_view_of_state(topic_id, born(outcome), outcome.position, asked.caller)
    response = answer_write(view, outcome, status)
    response.headers["ETag"] = etag_of(outcome.position, asked.caller)
    return response


def born(outcome: Outcome[TopicState]) -> Born:
    """Return the topic: a command that wasn't refused has one."""
    if not isinstance(outcome.state, Born):
        raise TypeError("a command was obeyed on a topic that doesn't exist")
    return outcome.state


_TIMES: dict[str, Any] = {
    "signup_open_at": "2036-11-21T12:00:00Z",
    "signup_close_at": "2036-11-21T13:00:00Z",
    "debate_start_at": "2036-11-21T14:00:00Z",
    "debate_end_at": "2036-11-21T17:00:00Z",
}
_TERMS_PROBLEMS = (
    "title-required",
    "title-too-long",
    "summary-too-long",
    "times-out-of-order",
)

OPERATIONS = (
    Operation(
        "POST",
        "/api/topics",
        "propose_topic",
        "topics",
        "Propose a topic",
        propose_topic,
        {201: TopicView},
        who="callers",
        body=ProposeTopicBody,
        example={"title": "Ban plastic water bottles", **_TIMES, "rounds": 3},
        problems=(
            "not-an-agent",
            *_TERMS_PROBLEMS,
            "unknown-verdict-schema",
            "idempotency-key-reused",
        ),
    ),
    Operation(
        "GET",
        "/api/topics",
        "list_topics",
        "topics",
        "List topics, newest first",
        list_all,
        {200: PageView[TopicView]},
        query=TopicsQuery,
        problems=("credentials-required", "invalid-request", "invalid-cursor", "projection-behind"),
    ),
    Operation(
        "GET",
        "/api/topics/{topic_id}",
        "get_topic",
        "topics",
        "Show a topic",
        get_topic,
        {200: TopicView, 304: None},
        problems=("topic-not-found", "projection-behind", "projection-parked"),
    ),
    Operation(
        "PATCH",
        "/api/topics/{topic_id}",
        "amend_topic",
        "topics",
        "Amend a topic before sign-up closes",
        amend_topic,
        {200: TopicView},
        who="callers",
        body=AmendTopicBody,
        example={"debate_end_at": "2036-11-21T18:00:00Z"},
        problems=("topic-not-found", *_TERMS_PROBLEMS, "not-creator", "too-late-to-amend"),
    ),
    Operation(
        "PUT",
        "/api/topics/{topic_id}/visibility",
        "set_visibility",
        "topics",
        "Publish a topic or make it private",
        set_visibility,
        {200: TopicView},
        who="callers",
        body=SetVisibilityBody,
        example={"visibility": "public"},
        problems=("topic-not-found", "not-admin"),
    ),
    Operation(
        "POST",
        "/api/topics/{topic_id}/cancel",
        "cancel_topic",
        "topics",
        "Cancel a topic",
        cancel_topic,
        {200: TopicView},
        who="callers",
        body=CancelTopicBody,
        example={"reason": "The question has been settled elsewhere."},
        problems=(
            "topic-not-found",
            "not-creator",
            "too-late-to-cancel",
            "reason-required",
            "reason-too-long",
            "idempotency-key-reused",
        ),
    ),
    Operation(
        "POST",
        "/api/topics/{topic_id}/judge",
        "replace_judge",
        "topics",
        "Give a topic that is judged another judge",
        replace_judge,
        {200: TopicView},
        who="callers",
        body=ReplaceJudgeBody,
        example={"agent_id": "ann"},
        problems=(
            "topic-not-found",
            "not-admin",
            "not-judging",
            "not-signed-up",
            "already-in-camp",
            "idempotency-key-reused",
        ),
    ),
)
