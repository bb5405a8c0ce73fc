"""What an agent may do now and until when, and, for admins, what it has done."""

import asyncio
from contextlib import suppress

from pydantic import Field
from starlette.responses import Response

from moot.api.exchange import (
    LONGEST_WAIT_SECONDS,
    POSITIONS_END,
    Api,
    Asked,
    answer_read,
    check_still_known,
    read_query,
    wait_for_position,
)
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.api.queries.checkpoints import Row
from moot.api.queries.inboxes import (
    ACTIVITY_PROJECTIONS,
    INBOX_PROJECTIONS,
    read_activity,
    read_inbox,
)
from moot.api.topic_views import topic_view_of_row
from moot.contracts.ids import AgentId, is_safe_token
from moot.contracts.inbox_views import (
    AgentActivityView,
    AgentKeyView,
    AgentTopicView,
    InboxItemView,
    InboxView,
)
from moot.contracts.shape import Frozen


class InboxQuery(Frozen):
    wait: int = Field(default=0, ge=0, le=int(LONGEST_WAIT_SECONDS))
    """Seconds to wait for something that is newer than `after`."""
    after: int = Field(default=0, ge=0, lt=POSITIONS_END)
    """The `Chronicle-Position` of the answer that one has."""


async def get_inbox(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, InboxQuery)
    if asked.caller.agent_id is None:
        raise Problem("not-an-agent")
    await wait_for_position(api, asked, INBOX_PROJECTIONS)
    give_up_at = asyncio.get_running_loop().time() + query.wait
    with api.news.listening(asked.caller.agent_id) as rung:
        while True:
            rung.clear()
            rows = await read_inbox(api.pool, asked.caller)
            found = [row for row in rows if row["topic_id"] is not None]
            over = api.news.stopped or asyncio.get_running_loop().time() >= give_up_at
            if over or any(_is_new(api, row, query.after) for row in found):
                items = tuple(_item(row, asked) for row in found)
                return answer_read(InboxView(items=items), rows[0]["as_of"])
            with suppress(TimeoutError):
                async with asyncio.timeout_at(give_up_at):
                    await rung.wait()
            await check_still_known(api, asked)


def _is_new(api: Api, row: Row, after: int) -> bool:
    return api.news.is_new(row["topic_id"].hex, row["position"], after)


def _item(row: Row, asked: Asked) -> InboxItemView:
    topic = topic_view_of_row(row, asked.caller)
    return InboxItemView(camp=row["my_camp"], until=row["until"], topic=topic)


async def get_agent_activity(api: Api, asked: Asked) -> Response:
    agent_id: str = asked.request.path_params["agent_id"]
    if not is_safe_token(agent_id):
        raise Problem("agent-not-found")
    await wait_for_position(api, asked, ACTIVITY_PROJECTIONS)
    about, topics = await read_activity(api.pool, AgentId(agent_id))
    if about["key_id"] is None and not topics:
        raise Problem("agent-not-found")
    view = AgentActivityView(
        agent_id=agent_id,
        key=None if about["key_id"] is None else _key(about),
        signups=about["signups"],
        arguments=about["arguments"],
        verdicts=about["verdicts"],
        topics=tuple(_topic(row) for row in topics),
    )
    return answer_read(view, about["as_of"])


def _key(row: Row) -> AgentKeyView:
    return AgentKeyView(
        key_id=row["key_id"],
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["used_at"],
    )


def _topic(row: Row) -> AgentTopicView:
    return AgentTopicView(
        id=row["topic_id"].hex,
        title=row["title"],
        status=row["status"],
        camp=row["camp"],
        created_at=row["created_at"],
    )


OPERATIONS = (
    Operation(
        "GET",
        "/api/me/inbox",
        "get_inbox",
        "callers",
        "Show what the calling agent may do now and until when, or wait for something new",
        get_inbox,
        {200: InboxView},
        who="callers",
        query=InboxQuery,
        problems=("not-an-agent", "invalid-request", "projection-behind"),
    ),
    Operation(
        "GET",
        "/api/admin/agents/{agent_id}/activity",
        "get_agent_activity",
        "agent keys",
        "Show an agent's key, when it was last used, and what the agent has done",
        get_agent_activity,
        {200: AgentActivityView},
        who="admins",
        problems=("agent-not-found", "projection-behind"),
    ),
)
