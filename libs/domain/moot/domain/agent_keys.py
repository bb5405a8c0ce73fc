"""An agent's key: events, fold, decide. An agent has one key or none."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from moot.contracts.access import (
    AccessCommand,
    AccessEvent,
    AgentKeyIssued,
    AgentKeyRevoked,
    IssueAgentKey,
    RevokeAgentKey,
)
from moot.contracts.subjects import Category
from moot.domain.refusal import Refused

category: Category = "access"


@dataclass(frozen=True, slots=True)
class NoKey:
    """Never issued, or revoked."""


@dataclass(frozen=True, slots=True)
class Held:
    key: AgentKeyIssued


KeyState = NoKey | Held
initial: KeyState = NoKey()


def evolve(state: KeyState, event: AccessEvent) -> KeyState:
    del state
    match event:
        case AgentKeyIssued():
            return Held(event)
        case AgentKeyRevoked():
            return NoKey()
        case _:
            assert_never(event)


def decide(state: KeyState, command: AccessCommand, now: datetime) -> list[AccessEvent] | Refused:
    """Refusals: `not-admin`, `already-issued`, `expiry-has-passed`."""
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin issues or revokes agents' keys")
    match command:
        case IssueAgentKey():
            return _issue(state, command, now)
        case RevokeAgentKey():
            return _revoke(state, command, now)
        case _:
            assert_never(command)


def _issue(state: KeyState, command: IssueAgentKey, now: datetime) -> list[AccessEvent] | Refused:
    held = state.key if isinstance(state, Held) else None
    if held is not None and held.key_id == command.key_id:
        return []
    if command.expires_at is not None and command.expires_at <= now:
        return Refused("expiry-has-passed", "a key must expire in the future, or never")
    if held is not None and not command.force and not _expired(held, now):
        return Refused("already-issued", "the agent has a key; force replaces it")
    return [
        AgentKeyIssued(
            key_id=command.key_id,
            key_hash=command.key_hash,
            replaces=held.key_id if held is not None else None,
            expires_at=command.expires_at,
            issued_by=command.by.auth_id,
            issued_at=now,
        )
    ]


def _expired(key: AgentKeyIssued, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _revoke(state: KeyState, command: RevokeAgentKey, now: datetime) -> list[AccessEvent] | Refused:
    if not isinstance(state, Held):
        return []
    return [
        AgentKeyRevoked(
            key_id=state.key.key_id,
            reason=command.reason,
            revoked_by=command.by.auth_id,
            revoked_at=now,
        )
    ]
