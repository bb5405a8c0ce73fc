"""Decides about webhooks: which there are, what they are sent, and what signs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from moot.contracts.debates import Caller, Visibility
from moot.contracts.ids import TopicId, WebhookId
from moot.contracts.subjects import Category
from moot.contracts.webhooks import (
    LONGEST_OVERLAP,
    ChangeWebhook,
    DisableGoneWebhook,
    RegisterWebhook,
    RemoveWebhook,
    RotateWebhookSecret,
    SecretVersion,
    WebhookChanged,
    WebhookCommand,
    WebhookDisabled,
    WebhookEnabled,
    WebhookEvent,
    WebhookRegistered,
    WebhookRemoved,
    WebhookSecretRotated,
    WebhookTerms,
)
from moot.domain.refusal import Refused

category: Category = "delivery"

MOST_SECRETS = 5
"""How many secrets may be in force at once: each is one more signature on every message."""


@dataclass(frozen=True, slots=True)
class OldSecret:
    secret: SecretVersion
    until: datetime


@dataclass(frozen=True, slots=True)
class Webhook:
    number: int
    """Counts those that were ever registered, from 1."""
    terms: WebhookTerms
    secret: SecretVersion
    registered_at: datetime
    old_secrets: tuple[OldSecret, ...] = ()
    """Newest first; those whose time is over stay until the next rotation."""
    disabled_because: str | None = None

    def secrets_at(self, now: datetime) -> tuple[SecretVersion, ...]:
        """Return what messages are signed with at `now`, the newest first."""
        old = (one.secret for one in self.old_secrets if now < one.until)
        return (self.secret, *old)

    def wants(self, event_type: str, topic_id: TopicId, visibility: Visibility) -> bool:
        """Whether it is sent an event of this type of a topic that looks like this."""
        terms = self.terms
        if self.disabled_because is not None:
            return False
        if terms.event_types and event_type not in terms.event_types:
            return False
        if terms.topic_id is not None:
            return terms.topic_id == topic_id
        return visibility is Visibility.PUBLIC or terms.include_private


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`by_id` has them in the order in which they were registered."""

    by_id: Mapping[WebhookId, Webhook] = field(default_factory=dict[WebhookId, Webhook])
    removed: frozenset[WebhookId] = frozenset()


initial = Webhooks()


def evolve(state: Webhooks, event: WebhookEvent) -> Webhooks:
    match event:
        case WebhookRegistered():
            number = len(state.by_id) + len(state.removed) + 1
            webhook = Webhook(number, event.terms, event.secret, event.registered_at)
            return replace(state, by_id={**state.by_id, event.webhook_id: webhook})
        case WebhookRemoved():
            left = {id_: kept for id_, kept in state.by_id.items() if id_ != event.webhook_id}
            return replace(state, by_id=left, removed=state.removed | {event.webhook_id})
        case WebhookChanged() | WebhookSecretRotated() | WebhookDisabled() | WebhookEnabled():
            webhook = state.by_id.get(event.webhook_id)
            if webhook is None:
                return state
            return replace(state, by_id={**state.by_id, event.webhook_id: _changed(webhook, event)})
        case _:
            assert_never(event)


def _changed(
    webhook: Webhook,
    event: WebhookChanged | WebhookSecretRotated | WebhookDisabled | WebhookEnabled,
) -> Webhook:
    match event:
        case WebhookChanged():
            return replace(webhook, terms=event.terms)
        case WebhookDisabled():
            return replace(webhook, disabled_because=event.reason)
        case WebhookEnabled():
            return replace(webhook, disabled_because=None)
        case WebhookSecretRotated():
            old = [one for one in webhook.old_secrets if event.rotated_at < one.until]
            replaced = OldSecret(webhook.secret, event.overlap_until)
            return replace(webhook, secret=event.secret, old_secrets=(replaced, *old))
        case _:
            assert_never(event)


def decide(state: Webhooks, command: WebhookCommand, now: datetime) -> list[WebhookEvent] | Refused:
    """Refusals: `not-admin`, `not-a-service`, `webhook-not-found`, `webhook-removed`,
    `another-version`, `too-many-secrets`, `overlap-out-of-bounds`.
    """  # noqa: D205 a list, not a summary
    if isinstance(command, DisableGoneWebhook):
        return _disable_gone(state, command, now)
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin deals with webhooks")
    match command:
        case RegisterWebhook():
            return _register(state, command, now)
        case ChangeWebhook():
            return _change(state, command, now)
        case RotateWebhookSecret():
            return _rotate(state, command, now)
        case RemoveWebhook():
            return _remove(state, command, now)
        case _:
            assert_never(command)


def _register(
    state: Webhooks, command: RegisterWebhook, now: datetime
) -> list[WebhookEvent] | Refused:
    if command.webhook_id in state.by_id:
        return []
    if command.webhook_id in state.removed:
        return Refused("webhook-removed", "this webhook was removed; register another one")
    return [
        WebhookRegistered(
            webhook_id=command.webhook_id,
            terms=command.terms,
            secret=SecretVersion(version=1, fingerprint=command.fingerprint),
            registered_by=command.by.auth_id,
            registered_at=now,
        )
    ]


def _change(state: Webhooks, command: ChangeWebhook, now: datetime) -> list[WebhookEvent] | Refused:
    webhook = state.by_id.get(command.webhook_id)
    if webhook is None:
        return _not_found()
    events: list[WebhookEvent] = []
    if command.terms is not None and command.terms != webhook.terms:
        events.append(
            WebhookChanged(
                webhook_id=command.webhook_id,
                terms=command.terms,
                changed_by=command.by.auth_id,
                changed_at=now,
            )
        )
    if command.enabled is False and webhook.disabled_because is None:
        reason = command.reason or "disabled by an admin"
        events.append(_disabled(command.webhook_id, reason, command.by, now))
    if command.enabled is True and webhook.disabled_because is not None:
        events.append(
            WebhookEnabled(
                webhook_id=command.webhook_id, enabled_by=command.by.auth_id, enabled_at=now
            )
        )
    return events


def _rotate(
    state: Webhooks, command: RotateWebhookSecret, now: datetime
) -> list[WebhookEvent] | Refused:
    webhook = state.by_id.get(command.webhook_id)
    if webhook is None:
        return _not_found()
    if command.secret == webhook.secret:
        return []
    if command.secret.version != webhook.secret.version + 1:
        return Refused("another-version", "the secret was rotated meanwhile")
    if not timedelta(0) <= command.overlap <= LONGEST_OVERLAP:
        return Refused(
            "overlap-out-of-bounds", f"an overlap lasts from 0 to {LONGEST_OVERLAP.days} d"
        )
    if command.overlap and len(webhook.secrets_at(now)) >= MOST_SECRETS:
        return Refused("too-many-secrets", "wait until an earlier overlap is over")
    return [
        WebhookSecretRotated(
            webhook_id=command.webhook_id,
            secret=command.secret,
            overlap_until=now + command.overlap,
            rotated_by=command.by.auth_id,
            rotated_at=now,
        )
    ]


def _disable_gone(
    state: Webhooks, command: DisableGoneWebhook, now: datetime
) -> list[WebhookEvent] | Refused:
    if command.by.kind != "service":
        return Refused("not-a-service", "only the announcer says that a receiver is gone")
    webhook = state.by_id.get(command.webhook_id)
    # An admin may have removed it, or given it another address, while the answer was on its way.
    if webhook is None or webhook.disabled_because is not None or webhook.terms.url != command.url:
        return []
    return [_disabled(command.webhook_id, "the receiver answered 410 Gone", command.by, now)]


def _remove(state: Webhooks, command: RemoveWebhook, now: datetime) -> list[WebhookEvent] | Refused:
    if command.webhook_id in state.removed:
        return []
    if command.webhook_id not in state.by_id:
        return _not_found()
    return [
        WebhookRemoved(
            webhook_id=command.webhook_id,
            reason=command.reason,
            removed_by=command.by.auth_id,
            removed_at=now,
        )
    ]


def _disabled(webhook_id: WebhookId, reason: str, by: Caller, now: datetime) -> WebhookDisabled:
    return WebhookDisabled(
        webhook_id=webhook_id, reason=reason, disabled_by=by.auth_id, disabled_at=now
    )


def _not_found() -> Refused:
    return Refused("webhook-not-found", "there is no such webhook")
