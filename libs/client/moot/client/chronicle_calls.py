"""The Chronicle: what is in it, what comes to be in it, and what may be."""

from collections.abc import AsyncGenerator

from moot.client.calls import Calls
from moot.client.pages import LARGEST_PAGE, Pages
from moot.contracts.catalogue_views import ContractsView
from moot.contracts.views import EventView, ExplainedEventView, PageView


class ChronicleCalls(Calls):
    def list_events(
        self,
        *,
        after: int | None = None,
        category: str | None = None,
        stream_id: str | None = None,
        event_type: str | None = None,
        page_size: int = LARGEST_PAGE,
    ) -> Pages[EventView]:
        """What the caller may see, in order; `stream_id` goes with a category."""
        query = {
            "limit": page_size,
            "after": after,
            "category": category,
            "id": stream_id,
            "type": event_type,
        }
        return self._pages("/api/chronicle", PageView[EventView], query)

    async def get_event(self, position: int) -> ExplainedEventView:
        """An event with its causes and its effects."""
        return await self._get(f"/api/chronicle/{position}", ExplainedEventView)

    def stream_chronicle(self, *, after: int | None = None) -> AsyncGenerator[EventView]:
        """Everything that the caller may see after a position, then what is to come."""
        return self._follow("/api/chronicle/stream", after)

    async def list_contracts(self) -> ContractsView:
        """The catalogue: every type of event and command, with its JSON Schema and an example."""
        return await self._get("/api/contracts", ContractsView)
