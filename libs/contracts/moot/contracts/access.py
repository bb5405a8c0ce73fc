"""Agent keys. Stream `chronicle.access.<agent id>`; only peppered hashes are ever stored."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moot.contracts.issued_keys import IssueKey, KeyIssued, KeyRevoked, RevokeKey


class AgentKeyIssued(KeyIssued):
    type: ClassVar[str] = "moot.access.agent_key_issued.v1"


class AgentKeyRevoked(KeyRevoked):
    type: ClassVar[str] = "moot.access.agent_key_revoked.v1"


AccessEvent = AgentKeyIssued | AgentKeyRevoked


class IssueAgentKey(IssueKey):
    name: Literal["issue_agent_key"] = "issue_agent_key"


class RevokeAgentKey(RevokeKey):
    name: Literal["revoke_agent_key"] = "revoke_agent_key"


AccessCommand = Annotated[IssueAgentKey | RevokeAgentKey, Field(discriminator="name")]
