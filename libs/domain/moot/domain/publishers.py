"""A publisher's key and grant: events, fold, decide. The rules of keys are in `issued_keys`."""

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
from moot.domain.issued_keys import is_held, issued, refusal_to_issue, revoked
from moot.domain.refusal import Refused

category: Category = "access"

KeyState = PublishingKeyIssued | None
"""The key that the publisher has. None: never issued, or revoked."""
initial: KeyState = None


def evolve(state: KeyState, event: PublishingEvent) -> KeyState:
    del state
    match event:
        case PublishingKeyIssued():
            return event
        case PublishingKeyRevoked():
            return None
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
        case RevokePublishingKey(publisher=name):
            if state is None:
                return []
            return [PublishingKeyRevoked(publisher=name, **revoked(state, command, now))]
        case _:
            assert_never(command)


def _issue(
    state: KeyState, command: IssuePublishingKey, now: datetime
) -> list[PublishingEvent] | Refused:
    if is_held(state, command):
        return []
    refused = _no_grant(command.grant) or refusal_to_issue(state, command, now)
    if refused is not None:
        return refused
    who = {"publisher": command.publisher, "grant": command.grant}
    return [PublishingKeyIssued(**who, **issued(state, command, now))]


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
