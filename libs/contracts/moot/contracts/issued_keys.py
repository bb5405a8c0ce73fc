"""What agents' keys and publishers' keys have in common. Only peppered hashes are ever stored."""

from moot.contracts.debates import Caller
from moot.contracts.ids import KeyId
from moot.contracts.shape import Frozen, Moment, Text


class KeyIssued(Frozen):
    """Replaces the holder's earlier key, if there is one (`replaces`)."""

    key_id: KeyId
    key_hash: str
    """SHA-256 of pepper and secret, hex."""
    replaces: KeyId | None
    expires_at: Moment | None
    issued_by: str
    issued_at: Moment


class KeyRevoked(Frozen):
    key_id: KeyId
    reason: Text
    revoked_by: str
    revoked_at: Moment


class IssueKey(Frozen):
    """Refused (`already-issued`) if the holder has a key, unless `force`."""

    by: Caller
    key_id: KeyId
    key_hash: str
    expires_at: Moment | None = None
    force: bool = False


class RevokeKey(Frozen):
    by: Caller
    reason: Text
