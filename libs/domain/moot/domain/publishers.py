"""A publisher's key and grant: events, fold, decide. A publisher has one key or none."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from moot.contracts.catalogue import CATEGORY_OF, INGESTIBLE
from moot.contracts.publishing import (
    Grant,
    IssuePublishingKey,
    PublishingCommand,
    PublishingEvent,
    PublishingKeyIssued,
    PublishingKeyRevoked,
    RevokePublishingKey,
)
from moot.contracts.subjects import Category
from moot.domain.refusal import Refused

category: Category = "access"


@dataclass(frozen=True, slots=True)
class NoKey:
    """Never issued, or revoked."""


@dataclass(frozen=True, slots=True)
class Held:
    key: PublishingKeyIssued


KeyState = NoKey | Held
initial: KeyState = NoKey()


def evolve(state: KeyState, event: PublishingEvent) -> KeyState:
    del state
    match event:
        case PublishingKeyIssued():
            return Held(event)
        case PublishingKeyRevoked():
            return NoKey()
        case _:
            assert_never(event)


def decide(
    state: KeyState, command: PublishingCommand, now: datetime
) -> list[PublishingEvent] | Refused:
    """Refusals: `not-admin`, `already-issued`, `expiry-has-passed`, `not-ingestible`."""
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin issues or revokes publishers' keys")
    match command:
        case IssuePublishingKey():
            return _issue(state, command, now)
        case RevokePublishingKey():
            return _revoke(state, command, now)
        case _:
            assert_never(command)


def _issue(
    state: KeyState, command: IssuePublishingKey, now: datetime
) -> list[PublishingEvent] | Refused:
    held = state.key if isinstance(state, Held) else None
    if held is not None and held.key_id == command.key_id:
        return []
    if (refused := _no_grant(command.grant)) is not None:
        return refused
    if command.expires_at is not None and command.expires_at <= now:
        return Refused("expiry-has-passed", "a key must expire in the future, or never")
    if held is not None and not command.force and not _expired(held, now):
        return Refused("already-issued", "the publisher has a key; force replaces it")
    return [
        PublishingKeyIssued(
            publisher=command.publisher,
            grant=command.grant,
            key_id=command.key_id,
            key_hash=command.key_hash,
            replaces=held.key_id if held is not None else None,
            expires_at=command.expires_at,
            issued_by=command.by.auth_id,
            issued_at=now,
        )
    ]


def _no_grant(grant: Grant) -> Refused | None:
    """Refuse what could never be published: it is a mistake, or asks for what is Moot's own."""
    for name in grant.types:
        if name not in INGESTIBLE or CATEGORY_OF[name] not in grant.categories:
            return Refused("not-ingestible", f"{name} is none that others may publish there")
    ingestible = {CATEGORY_OF[name] for name in INGESTIBLE}
    for granted in grant.categories:
        if granted not in ingestible:
            return Refused("not-ingestible", f"nothing of category {granted} is published")
    return None


def _expired(key: PublishingKeyIssued, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _revoke(
    state: KeyState, command: RevokePublishingKey, now: datetime
) -> list[PublishingEvent] | Refused:
    if not isinstance(state, Held):
        return []
    return [
        PublishingKeyRevoked(
            publisher=command.publisher,
            key_id=state.key.key_id,
            reason=command.reason,
            revoked_by=command.by.auth_id,
            revoked_at=now,
        )
    ]
