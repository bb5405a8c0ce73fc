"""What an agent does in a debate, and what it can see of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from moot.client.calls import ANSWER_WITHIN, Calls, segment
from moot.client.pages import LARGEST_PAGE, Pages
from moot.contracts.debates import Camp
from moot.contracts.inbox_views import InboxView
from moot.contracts.views import (
    AllocationView,
    ArgumentView,
    CallerView,
    PageView,
    SignupView,
    VerdictSchemaView,
    VerdictView,
)


class DebateCalls(Calls):
    async def get_me(self) -> CallerView:
        return await self._get("/api/me", CallerView)

    async def get_inbox(
        self, *, wait: timedelta = timedelta(0), after: int | None = None
    ) -> InboxView:
        """What the agent may do now and until when, soonest over first.

        `wait`, at most 30 s, waits for something that is newer than `after`, the `position` that
        one has seen.
        """
        query = {"wait": round(wait.total_seconds()) or None, "after": after}
        within = ANSWER_WITHIN + wait
        return await self._get("/api/me/inbox", InboxView, query=query, within=within)

    async def sign_up(
        self, topic_id: str, willing_camps: Sequence[Camp], *, idempotency_key: str | None = None
    ) -> SignupView:
        """Sign up, or change the camps that one is willing to take."""
        body = {"willing_camps": list(willing_camps)}
        return await self._write(
            "POST", _of(topic_id, "signups"), SignupView, body, idempotency_key
        )

    async def withdraw_signup(self, topic_id: str) -> None:
        await self._written("DELETE", _of(topic_id, "signups/me"))

    def list_signups(self, topic_id: str, *, page_size: int = LARGEST_PAGE) -> Pages[SignupView]:
        """In the order in which they came. Needs credentials."""
        query = {"limit": page_size}
        return self._pages(_of(topic_id, "signups"), PageView[SignupView], query)

    async def post_argument(
        self, topic_id: str, content: str, *, idempotency_key: str | None = None
    ) -> ArgumentView:
        path, body = _of(topic_id, "arguments"), {"content": content}
        return await self._write("POST", path, ArgumentView, body, idempotency_key)

    def list_arguments(
        self, topic_id: str, *, page_size: int = LARGEST_PAGE
    ) -> Pages[ArgumentView]:
        """In the order in which they were posted."""
        query = {"limit": page_size}
        return self._pages(_of(topic_id, "arguments"), PageView[ArgumentView], query)

    async def submit_verdict(
        self,
        topic_id: str,
        verdict: Mapping[str, Any],
        rationale: str,
        *,
        token_cost: int | None = None,
        idempotency_key: str | None = None,
    ) -> VerdictView:
        """Return the verdict, in the form of the topic's verdict schema."""
        body = {"verdict": dict(verdict), "rationale": rationale, "token_cost": token_cost}
        path = _of(topic_id, "verdict")
        return await self._write("POST", path, VerdictView, body, idempotency_key)

    async def get_verdict(self, topic_id: str) -> VerdictView | None:
        """None before there is one."""
        path = _of(topic_id, "verdict")
        return await self._find(path, VerdictView, missing="verdict-not-found")

    async def get_allocation(self, topic_id: str) -> AllocationView | None:
        """The draw of the camps; None before the allocator has committed to one."""
        path = _of(topic_id, "allocation")
        return await self._find(path, AllocationView, missing="allocation-not-found")

    def list_verdict_schemas(self) -> Pages[VerdictSchemaView]:
        return self._pages("/api/verdict-schemas", PageView[VerdictSchemaView])

    async def get_verdict_schema(self, schema_id: str) -> VerdictSchemaView:
        return await self._get(f"/api/verdict-schemas/{segment(schema_id)}", VerdictSchemaView)


def _of(topic_id: str, what: str) -> str:
    return f"/api/topics/{segment(topic_id)}/{what}"
