"""One post to a webhook, as Standard Webhooks has it, and which webhooks there are."""

from collections.abc import Callable, Sequence
from datetime import datetime

import httpx2
from pydantic_core import to_json

from moot.announcer.addresses import Addresses, AddressRefusedError
from moot.announcer.answers import Answer, Posting
from moot.contracts.debates import Caller
from moot.contracts.deliveries import Announcement
from moot.contracts.envelope import Recorded
from moot.contracts.ids import CommandId, WebhookId, derived_id
from moot.contracts.webhooks import WEBHOOKS, DisableGoneWebhook
from moot.domain import webhooks
from moot.domain.webhook_secrets import WebhookSecret, timestamp
from moot.domain.webhooks import Webhook, Webhooks
from moot.runtime.dispatch import CommandContext, Dispatcher
from moot.runtime.telemetry import current_traceparent

GONE = 410


class WebhookPosts:
    """`secret_key` None: webhooks are off."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        posting: Posting,
        addresses: Addresses,
        secret_key: str | None,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._dispatcher = dispatcher
        self._posting = posting
        self._addresses = addresses
        self._secret_key = secret_key
        self._now = now

    async def there_at(self, position: int) -> Webhooks:
        """Return the webhooks as they were when the event at `position` was stored.

        So a webhook is sent nothing from before it was registered, whenever that is looked at.
        """
        newest = await self._dispatcher.load(webhooks, WEBHOOKS)
        if newest.position <= position:
            return newest.state
        return (await self._dispatcher.load(webhooks, WEBHOOKS, at=position)).state

    async def post(
        self, webhook_id: WebhookId, announcement: Announcement, by: Caller, cause: Recorded
    ) -> Answer:
        """Post once. The message's id is the announced event's, however often it is posted."""
        known = (await self._dispatcher.load(webhooks, WEBHOOKS)).state
        webhook = known.by_id.get(webhook_id)
        if webhook is None:
            return Answer(None, "removed", hopeless="the webhook was removed")
        if webhook.disabled_because is not None:
            hopeless = f"the webhook is disabled: {webhook.disabled_because}"
            return Answer(None, "disabled", hopeless=hopeless)
        secrets = self._secrets(webhook_id, webhook)
        if isinstance(secrets, str):
            return Answer.not_called(secrets)
        answer = await self._posted(webhook, secrets, announcement)
        if answer.status == GONE:
            await self._disable(webhook_id, webhook, by, cause)
        return answer

    def _secrets(self, webhook_id: WebhookId, webhook: Webhook) -> list[WebhookSecret] | str:
        """Return what to sign with, or why that can't be known."""
        if self._secret_key is None:
            return "MOOT_SECRET_KEY is missing"
        derived: list[WebhookSecret] = []
        for secret in webhook.secrets_at(self._now()):
            derived.append(WebhookSecret.derive(self._secret_key, webhook_id, secret.version))
            if derived[-1].fingerprint != secret.fingerprint:
                return f"secret {secret.version} was made with another MOOT_SECRET_KEY"
        return derived

    async def _posted(
        self, webhook: Webhook, secrets: Sequence[WebhookSecret], announcement: Announcement
    ) -> Answer:
        url = httpx2.URL(webhook.terms.url)
        host, body = url.raw_host.decode(), payload(announcement)
        headers = _headers(webhook, secrets, announcement, self._now(), body)
        try:
            async with self._posting.timed() as timed:
                port = url.port or (443 if url.scheme == "https" else 80)
                timed.answer = await self._posting.send(
                    [
                        # Host, SNI and the certificate's name stay those of the URL.
                        self._posting.http.build_request(
                            "POST",
                            url.copy_with(host=address),
                            content=body,
                            headers={"Host": url.netloc.decode(), **headers},
                            extensions={"sni_hostname": host},
                        )
                        for address in await self._addresses.of(host, port)
                    ]
                )
        except AddressRefusedError as refused:
            return Answer.not_called(str(refused))
        return timed.answer

    async def _disable(
        self, webhook_id: WebhookId, webhook: Webhook, by: Caller, cause: Recorded
    ) -> None:
        command = DisableGoneWebhook(by=by, webhook_id=webhook_id, url=webhook.terms.url)
        context = CommandContext(
            command_id=CommandId(derived_id("gone", webhook_id, cause.envelope.id)),
            caller_auth_id=by.auth_id,
            correlation_id=cause.envelope.cause.correlation_id,
            causation_id=cause.envelope.id,
            traceparent=current_traceparent(),
        )
        await self._dispatcher.dispatch(webhooks, WEBHOOKS, command, context)


def payload(announcement: Announcement) -> bytes:
    """Return the message's body: the event's identity, and its text; the rest is in the API."""
    metadata = announcement.metadata
    return to_json(
        {
            "type": announcement.event_type,
            "timestamp": metadata["time"],
            "data": {
                "id": announcement.event_id,
                "source": metadata["source"],
                "subject": metadata["subject"],
                "topic_id": announcement.topic_id,
                "position": announcement.position,
                "url": metadata["url"],
                "content": announcement.content,
            },
        }
    )


def _headers(
    webhook: Webhook,
    secrets: Sequence[WebhookSecret],
    announcement: Announcement,
    sent_at: datetime,
    body: bytes,
) -> dict[str, str]:
    message_id = announcement.event_id
    signatures = [
        secret.signature(scheme, message_id, sent_at, body)
        for secret in secrets
        for scheme in webhook.terms.signing
    ]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp(sent_at),
        "webhook-signature": " ".join(signatures),
    }
