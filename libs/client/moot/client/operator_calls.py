"""What admins do, and what any monitor asks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from moot.client.calls import Calls, segment
from moot.client.pages import LARGEST_PAGE, Pages
from moot.contracts.inbox_views import AgentActivityView
from moot.contracts.views import IssuedKeyView, PageView, VerdictSchemaView, WaitingDeadlineView


class OperatorCalls(Calls):
    async def issue_agent_key(
        self, agent_id: str, *, force: bool = False, expires_at: datetime | None = None
    ) -> IssuedKeyView:
        """Give an agent a key; `force` replaces the one it has. It is shown this once.

        Where the answer was lost, a repeat is refused (`already-issued`): issue another by `force`.
        """
        body = {
            "agent_id": agent_id,
            "force": force,
            "expires_at": None if expires_at is None else expires_at.isoformat(),
        }
        return await self._write("POST", "/api/admin/agent-keys", IssuedKeyView, body)

    async def revoke_agent_key(self, agent_id: str, reason: str | None = None) -> None:
        path = f"/api/admin/agent-keys/{segment(agent_id)}"
        await self._written("DELETE", path, query={"reason": reason})

    async def register_verdict_schema(
        self,
        schema_id: str,
        title: str,
        json_schema: Mapping[str, Any],
        *,
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> VerdictSchemaView:
        """Register a JSON Schema 2020-12, which never changes from then on."""
        told = {"id": schema_id, "title": title, "json_schema": dict(json_schema)}
        body = {**told, "reason": reason}
        path = "/api/verdict-schemas"
        return await self._write("POST", path, VerdictSchemaView, body, idempotency_key)

    async def get_agent_activity(self, agent_id: str) -> AgentActivityView:
        """Its key, when that was last used, and what the agent has done."""
        path = f"/api/admin/agents/{segment(agent_id)}/activity"
        return await self._get(path, AgentActivityView)

    def list_deadlines(
        self, *, topic_id: str | None = None, page_size: int = LARGEST_PAGE
    ) -> Pages[WaitingDeadlineView]:
        """What happens next by itself, earliest first."""
        query = {"limit": page_size, "topic": topic_id}
        return self._pages("/api/deadlines", PageView[WaitingDeadlineView], query)

    async def get_liveness(self) -> str:
        return await self._text("/livez")

    async def get_readiness(self) -> str:
        """Raises MootUnreachableError with the reasons when it isn't ready."""
        return await self._text("/readyz")

    async def get_health(self) -> str:
        """Raises MootUnreachableError with the reason when it isn't well."""
        return await self._text("/health")

    async def get_metrics(self) -> str:
        """What Prometheus scrapes."""
        return await self._text("/metrics")
