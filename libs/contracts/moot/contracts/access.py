"""Agent keys. Stream `chronicle.access.<agent id>`; only peppered hashes are ever stored."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.contracts.debates import Caller
from moot.contracts.ids import KeyId
from moot.contracts.shape import Frozen, Moment, Text


class AgentKeyIssued(Frozen):
    """Replaces the agent's earlier key, if it has one (`replaces`)."""

    type: ClassVar[str] = "moot.access.agent_key_issued.v1"
    key_id: KeyId
    key_hash: str
    """SHA-256 of pepper and secret, hex."""
    replaces: KeyId | None
    expires_at: Moment | None
    issued_by: str
    issued_at: Moment


class AgentKeyRevoked(Frozen):
    type: ClassVar[str] = "moot.access.agent_key_revoked.v1"
    key_id: KeyId
    reason: Text
    revoked_by: str
    revoked_at: Moment


AccessEvent = AgentKeyIssued | AgentKeyRevoked


class IssueAgentKey(Frozen):
    """Refused (`already-issued`) if the agent has a key, unless `force`."""

    name: Literal["issue_agent_key"] = "issue_agent_key"
    by: Caller
    key_id: KeyId
    key_hash: str
    expires_at: Moment | None = None
    force: bool = False


class RevokeAgentKey(Frozen):
    name: Literal["revoke_agent_key"] = "revoke_agent_key"
    by: Caller
    reason: Text


AccessCommand = Annotated[IssueAgentKey | RevokeAgentKey, Field(discriminator="name")]
