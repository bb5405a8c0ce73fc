"""Publishers: what other systems append, and who lets them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from moot.client.calls import Calls, segment
from moot.client.pages import LARGEST_PAGE, Pages
from moot.client.problems import refusal_in
from moot.contracts.publishing_views import (
    IssuedPublishingKeyView,
    PublishedView,
    PublisherView,
)
from moot.contracts.subjects import Category
from moot.contracts.views import PageView

PUBLISHERS = "/api/admin/publishers"
BATCH = "application/cloudevents-batch+json"


class PublishingCalls(Calls):
    async def publish_events(self, events: Sequence[Mapping[str, Any]]) -> PublishedView:
        """Append CloudEvents in a publisher's name, all of them or none.

        Repeat it with the same ids as often as you like: each is stored once.
        """
        headers = {"Content-Type": BATCH}
        response = await self.request("POST", "/api/events", body=list(events), headers=headers)
        if not response.is_success:
            raise refusal_in(response)
        return PublishedView.model_validate_json(response.content)

    async def issue_publishing_key(
        self,
        publisher: str,
        categories: Sequence[Category],
        types: Sequence[str] = (),
        *,
        force: bool = False,
        expires_at: datetime | None = None,
    ) -> IssuedPublishingKeyView:
        """Let a system publish; `force` replaces its key and grant. The key is shown this once."""
        body = {
            "publisher": publisher,
            "categories": list(categories),
            "types": list(types),
            "force": force,
            "expires_at": None if expires_at is None else expires_at.isoformat(),
        }
        return await self._write("POST", PUBLISHERS, IssuedPublishingKeyView, body)

    def list_publishers(self, *, page_size: int = LARGEST_PAGE) -> Pages[PublisherView]:
        return self._pages(PUBLISHERS, PageView[PublisherView], {"limit": page_size})

    async def revoke_publishing_key(self, publisher: str, reason: str | None = None) -> None:
        path = f"{PUBLISHERS}/{segment(publisher)}"
        await self._written("DELETE", path, query={"reason": reason})
