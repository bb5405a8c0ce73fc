"""Topics: proposing, finding, changing, and the whole debate in one document.

`if_match`, the `etag` of a topic that was read, is for changing just that: where it has changed
since, the call raises ProblemError `precondition-failed`.
"""

from collections.abc import AsyncGenerator

from moot.client.bodies import Amendment, Proposal
from moot.client.calls import Calls, segment
from moot.client.pages import LARGEST_PAGE, Pages
from moot.contracts.debates import Stage, Visibility
from moot.contracts.delivery_views import AnnouncementView
from moot.contracts.views import DebateView, EventView, PageView, TopicView


class TopicCalls(Calls):
    async def propose_topic(
        self, proposal: Proposal, *, idempotency_key: str | None = None
    ) -> TopicView:
        return await self._write("POST", "/api/topics", TopicView, proposal, idempotency_key)

    def list_topics(
        self,
        *,
        status: Stage | None = None,
        visibility: Visibility | None = None,
        mine: bool | None = None,
        page_size: int = LARGEST_PAGE,
    ) -> Pages[TopicView]:
        """Newest first. `mine`: those that the caller created or signed up to."""
        query = {"limit": page_size, "status": status, "visibility": visibility, "mine": mine}
        return self._pages("/api/topics", PageView[TopicView], query)

    async def get_topic(self, topic_id: str) -> TopicView:
        return await self._get(_topic(topic_id), TopicView)

    async def amend_topic(
        self, topic_id: str, amendment: Amendment, *, if_match: str | None = None
    ) -> TopicView:
        path = _topic(topic_id)
        return await self._write("PATCH", path, TopicView, amendment, if_match=if_match)

    async def set_visibility(
        self, topic_id: str, visibility: Visibility, *, if_match: str | None = None
    ) -> TopicView:
        """Publish a topic, or make it private. For admins."""
        path, body = f"{_topic(topic_id)}/visibility", {"visibility": visibility}
        return await self._write("PUT", path, TopicView, body, if_match=if_match)

    async def cancel_topic(
        self,
        topic_id: str,
        reason: str,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> TopicView:
        path, body = f"{_topic(topic_id)}/cancel", {"reason": reason}
        return await self._write("POST", path, TopicView, body, idempotency_key, if_match=if_match)

    async def replace_judge(
        self,
        topic_id: str,
        agent_id: str,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> TopicView:
        """Give a topic that is judged another judge, who signed up to it. For admins."""
        path, body = f"{_topic(topic_id)}/judge", {"agent_id": agent_id}
        return await self._write("POST", path, TopicView, body, idempotency_key, if_match=if_match)

    async def export_debate(self, topic_id: str) -> DebateView:
        return await self._get(f"{_topic(topic_id)}/export", DebateView)

    async def export_markdown(self, topic_id: str) -> str:
        """The same as text to read."""
        return await self._text(f"{_topic(topic_id)}/export", query={"format": "markdown"})

    def list_announcements(self, topic_id: str) -> Pages[AnnouncementView]:
        """What was announced of the topic, and what came of it."""
        path, query = "/api/announcements", {"topic": topic_id}
        return self._pages(path, PageView[AnnouncementView], query)

    def stream_topic(self, topic_id: str, *, after: int | None = None) -> AsyncGenerator[EventView]:
        """The topic's events after a position, then those to come; see `moot.client.live`."""
        return self._follow(f"{_topic(topic_id)}/stream", after)


def _topic(topic_id: str) -> str:
    return f"/api/topics/{segment(topic_id)}"
