"""The key that a stream is heard with: a stream lasts no longer than its key holds."""

from dataclasses import dataclass
from datetime import datetime

from moot.api.agent_secrets import AgentKey, PublisherKey
from moot.api.callers import bearer
from moot.api.event_stream import HeldKey
from moot.api.exchange import Api, Asked
from moot.contracts.ids import AgentId, KeyId
from moot.contracts.publishing import PublisherName, publisher_stream_id
from moot.contracts.subjects import StreamName
from moot.domain import agent_keys, publishers


def held_key(api: Api, asked: Asked) -> HeldKey | None:
    """Return the caller's key; None for who has none, or one that never ends."""
    token = bearer(asked.request.headers.get("authorization", ""))
    match asked.caller.kind:
        case "agent" if (key := AgentKey.parse(token)) is not None:
            return _AgentKey(api, AgentId(asked.caller.id), key.key_id)
        case "publisher" if (key := PublisherKey.parse(token)) is not None:
            return _PublisherKey(api, PublisherName(asked.caller.id), key.key_id)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _AgentKey:
    api: Api
    agent_id: AgentId
    key_id: KeyId

    @property
    def subject(self) -> str:
        return StreamName(agent_keys.category, self.agent_id).subject

    async def lasts(self) -> float | None:
        state = (await self.api.dispatcher.load(agent_keys, self.agent_id)).state
        if state is None or state.key_id != self.key_id:
            return 0
        return _left(self.api, state.expires_at)


@dataclass(frozen=True, slots=True)
class _PublisherKey:
    api: Api
    name: PublisherName
    key_id: KeyId

    @property
    def subject(self) -> str:
        return StreamName(publishers.category, publisher_stream_id(self.name)).subject

    async def lasts(self) -> float | None:
        stream_id = publisher_stream_id(self.name)
        state = (await self.api.dispatcher.load(publishers, stream_id)).state
        if state is None or state.key_id != self.key_id:
            return 0
        return _left(self.api, state.expires_at)


def _left(api: Api, expires_at: datetime | None) -> float | None:
    if expires_at is None:
        return None
    return max(0.0, (expires_at - api.callers.now()).total_seconds())
