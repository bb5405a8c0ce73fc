"""A whole debate in one document, as JSON or as Markdown."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic_core import to_json
from starlette.responses import Response

from moot.api.allocation import allocation_view
from moot.api.arguments import argument_view_of_row
from moot.api.exchange import (
    JSON,
    POSITION,
    Api,
    Asked,
    check_readable,
    read_query,
    wait_for_position,
)
from moot.api.operations import Operation
from moot.api.parked import check_shown, saying_parked
from moot.api.problems import Problem
from moot.api.queries.arguments import list_arguments
from moot.api.queries.draws import read_draw
from moot.api.queries.topics import PROJECTIONS, read_topic
from moot.api.queries.verdicts import read_verdict
from moot.api.topic_views import topic_view_of_row
from moot.api.verdicts import verdict_view_of_row
from moot.contracts.shape import Frozen
from moot.contracts.views import AllocationView, ArgumentView, DebateView, VerdictView

MARKDOWN = "text/markdown; charset=utf-8"
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>&])")


class ExportQuery(Frozen):
    format: Literal["json", "markdown"] = "json"


async def export_debate(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    try:
        query = read_query(asked.request, ExportQuery)
    except Problem:
        await check_readable(api, asked)
        raise
    await wait_for_position(api, asked, PROJECTIONS)
    as_of, parked, view = await _read(api, asked)
    as_json = query.format == "json"
    content = to_json(view) if as_json else "\n".join(markdown(view)).encode()
    response = Response(content, media_type=JSON if as_json else MARKDOWN)
    ending = "json" if as_json else "md"
    response.headers["Content-Disposition"] = f'inline; filename="debate-{topic_id}.{ending}"'
    response.headers[POSITION] = str(as_of)
    return saying_parked(response, parked)


async def _read(api: Api, asked: Asked) -> tuple[int, int | None, DebateView]:
    """Return the debate, its position and what is set aside of it, all of one snapshot."""
    topic_id = asked.topic_id
    async with (
        api.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        topic = await read_topic(connection, topic_id, asked.caller)
        parked = await check_shown(api, asked, topic_id, topic)
        draw = await read_draw(connection, topic_id)
        arguments = await list_arguments(connection, topic_id, 0, None)
        verdict = await read_verdict(connection, topic_id)
    view = DebateView(
        topic=topic_view_of_row(topic, asked.caller),
        allocation=allocation_view(draw),
        arguments=tuple(
            argument_view_of_row(row) for row in arguments if row["argument_id"] is not None
        ),
        verdict=None if verdict["judge_id"] is None else verdict_view_of_row(verdict),
    )
    return topic["as_of"], parked, view


def markdown(view: DebateView) -> Iterator[str]:
    """Yield the document's lines. What people and agents wrote can't become part of its markup."""
    topic = view.topic
    yield f"# {_inline(topic.title)}"
    yield ""
    if topic.summary:
        yield from _quoted(topic.summary)
        yield ""
    yield f"- Status: {topic.status}"
    if topic.cancelled_reason is not None:
        yield f"- Cancelled: {_inline(topic.cancelled_reason)}"
    yield f"- Proposed by: {_inline(topic.creator_id)}"
    yield f"- Debate: {_utc(topic.debate_start_at)} to {_utc(topic.debate_end_at)}"
    for seat in topic.camps:
        yield f"- {seat.camp.capitalize()}: {_inline(seat.agent_id)}"
    yield from _draw_lines(view.allocation)
    yield from _argument_lines(view.arguments)
    yield from _verdict_lines(view.verdict)
    yield ""


def _draw_lines(draw: AllocationView | None) -> Iterator[str]:
    if draw is None:
        return
    if draw.secret is None:
        yield f"- Draw: `{draw.algorithm}`, committed to `{draw.commitment}`"
    else:
        yield f"- Draw: `{draw.algorithm}`, seed `{draw.seed}`, secret `{draw.secret}`"


def _argument_lines(arguments: tuple[ArgumentView, ...]) -> Iterator[str]:
    round_no = None
    for argument in arguments:
        if argument.round_no != round_no:
            round_no = argument.round_no
            yield ""
            yield f"## Round {round_no + 1}"
        yield ""
        author = f"{argument.camp.capitalize()}, {_inline(argument.agent_id)}"
        yield f"### {author}, {_utc(argument.posted_at)}"
        yield ""
        yield from _quoted(argument.content)


def _verdict_lines(verdict: VerdictView | None) -> Iterator[str]:
    if verdict is None:
        return
    yield ""
    yield "## Verdict"
    yield ""
    yield f"By {_inline(verdict.judge_id)}, {_utc(verdict.submitted_at)}:"
    yield ""
    # Indented, so that no text in it can end the block.
    for line in to_json(verdict.verdict, indent=2).decode().splitlines():
        yield f"    {line}"
    yield ""
    yield from _quoted(verdict.rationale)


def _quoted(text: str) -> Iterator[str]:
    """Quote each line, with HTML disarmed: Markdown in it works, but only inside the quotation."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    for line in safe.splitlines():
        yield f"> {line}"


def _inline(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


OPERATIONS = (
    Operation(
        "GET",
        "/api/topics/{topic_id}/export",
        "export_debate",
        "topics",
        "Get the whole debate in one document",
        export_debate,
        {200: DebateView},
        query=ExportQuery,
        problems=("topic-not-found", "invalid-request", "projection-behind", "projection-parked"),
        media_types=("application/json", "text/markdown"),
    ),
)


def _utc(moment: datetime) -> str:
    return moment.isoformat().removesuffix("+00:00") + "Z"
