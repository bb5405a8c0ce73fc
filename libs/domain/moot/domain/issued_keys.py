"""The rules of issuing and revoking keys, whoever holds them. A holder has one key or none."""

from datetime import datetime
from typing import Any

from moot.contracts.issued_keys import IssueKey, KeyIssued, RevokeKey
from moot.domain.refusal import Refused


def is_held(held: KeyIssued | None, command: IssueKey) -> bool:
    """Return whether the command has been obeyed."""
    return held is not None and held.key_id == command.key_id


def refusal_to_issue(held: KeyIssued | None, command: IssueKey, now: datetime) -> Refused | None:
    """Return `expiry-has-passed` or `already-issued`; None if the key may be issued."""
    if command.expires_at is not None and command.expires_at <= now:
        return Refused("expiry-has-passed", "a key must expire in the future, or never")
    if held is not None and not command.force and not _expired(held, now):
        return Refused("already-issued", "the holder has a key; force replaces it")
    return None


def issued(held: KeyIssued | None, command: IssueKey, now: datetime) -> dict[str, Any]:
    """Return the fields of `KeyIssued`."""
    return {
        "key_id": command.key_id,
        "key_hash": command.key_hash,
        "replaces": held.key_id if held is not None else None,
        "expires_at": command.expires_at,
        "issued_by": command.by.auth_id,
        "issued_at": now,
    }


def revoked(held: KeyIssued, command: RevokeKey, now: datetime) -> dict[str, Any]:
    """Return the fields of `KeyRevoked`."""
    return {
        "key_id": held.key_id,
        "reason": command.reason,
        "revoked_by": command.by.auth_id,
        "revoked_at": now,
    }


def _expired(key: KeyIssued, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now
