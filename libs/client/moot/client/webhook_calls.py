"""Webhooks, and what was sent to them. For admins. `if_match` is as for topics."""

from datetime import timedelta
from typing import Any

from moot.client.bodies import WebhookChange
from moot.client.calls import Calls, segment
from moot.client.pages import LARGEST_PAGE, Pages
from moot.contracts.delivery_views import RetriedView, WebhookView, WebhookWithSecretView
from moot.contracts.views import PageView
from moot.contracts.webhooks import WebhookTerms

WEBHOOKS = "/api/admin/webhooks"


class WebhookCalls(Calls):
    async def register_webhook(self, terms: WebhookTerms) -> WebhookWithSecretView:
        """The secret is shown this once; where the answer was lost, rotate it."""
        return await self._write("POST", WEBHOOKS, WebhookWithSecretView, terms)

    def list_webhooks(self, *, page_size: int = LARGEST_PAGE) -> Pages[WebhookView]:
        return self._pages(WEBHOOKS, PageView[WebhookView], {"limit": page_size})

    async def get_webhook(self, webhook_id: str) -> WebhookView:
        return await self._get(_webhook(webhook_id), WebhookView)

    async def change_webhook(
        self, webhook_id: str, change: WebhookChange, *, if_match: str | None = None
    ) -> WebhookView:
        path = _webhook(webhook_id)
        return await self._write("PATCH", path, WebhookView, change, if_match=if_match)

    async def remove_webhook(
        self, webhook_id: str, reason: str | None = None, *, if_match: str | None = None
    ) -> None:
        path = _webhook(webhook_id)
        await self._written("DELETE", path, query={"reason": reason}, if_match=if_match)

    async def rotate_webhook_secret(
        self, webhook_id: str, *, overlap: timedelta | None = None, if_match: str | None = None
    ) -> WebhookWithSecretView:
        """The new secret is shown this once; for `overlap` (a day) the old one signs, too."""
        body: dict[str, Any] = {}
        if overlap is not None:
            body["overlap_s"] = int(overlap.total_seconds())
        path = f"{_webhook(webhook_id)}/secret"
        return await self._write("POST", path, WebhookWithSecretView, body, if_match=if_match)

    async def retry_delivery(self, delivery_id: str, reason: str = "") -> RetriedView:
        """Send what was given up once more; the id is that of an `AnnouncementView`."""
        queue_id, _, event_id = delivery_id.partition("/")
        path = f"/api/admin/deliveries/{segment(queue_id)}/{segment(event_id)}/retry"
        return await self._write("POST", path, RetriedView, {"reason": reason})


def _webhook(webhook_id: str) -> str:
    return f"{WEBHOOKS}/{segment(webhook_id)}"
