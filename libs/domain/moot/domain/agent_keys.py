"""An agent's key: events, fold, decide. The rules of keys are in `issued_keys`."""

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
from moot.domain.issued_keys import is_held, issued, refusal_to_issue, revoked
from moot.domain.refusal import Refused

category: Category = "access"

KeyState = AgentKeyIssued | None
"""The key that the agent has. None: never issued, or revoked."""
initial: KeyState = None


def evolve(state: KeyState, event: AccessEvent) -> KeyState:
    del state
    match event:
        case AgentKeyIssued():
            return event
        case AgentKeyRevoked():
            return None
        case _:
            assert_never(event)


def decide(state: KeyState, command: AccessCommand, now: datetime) -> list[AccessEvent] | Refused:
    """Refusals: `not-admin`, `already-issued`, `expiry-has-passed`."""
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin issues or revokes agents' keys")
    match command:
        case IssueAgentKey():
            if is_held(state, command):
                return []
            return refusal_to_issue(state, command, now) or [
                AgentKeyIssued(**issued(state, command, now))
            ]
        case RevokeAgentKey():
            return [] if state is None else [AgentKeyRevoked(**revoked(state, command, now))]
        case _:
            assert_never(command)
