"""Agents' or publishers' keys as they are now, looked up by who calls."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Generic, TypeVar

from moot.api.agent_secrets import AgentKey, PublisherKey
from moot.api.key_news import KeyNews
from moot.api.queries.agent_keys import StoredKey
from moot.api.queries.publishing import StoredPublisher
from moot.contracts.ids import KeyId

REMEMBERED_SECONDS: Final = 1.0
"""How long what the Ops DB says of a key counts without looking again."""
REMEMBERED_KEYS: Final = 10_000

StoredT = TypeVar("StoredT", StoredKey, StoredPublisher)


class KnownKeys(Generic[StoredT]):
    """What the Ops DB says of keys or, where it may not know yet, the Chronicle."""

    def __init__(
        self,
        kind: type[StoredT],
        stored: Callable[[KeyId], Awaitable[StoredT | None]],
        news: KeyNews,
        pepper: str,
    ) -> None:
        self._kind = kind
        self._stored = stored
        self._news = news
        self._pepper = pepper
        self._remembered: OrderedDict[KeyId, tuple[float, StoredT]] = OrderedDict()

    async def holding(self, key: AgentKey | PublisherKey, now: datetime) -> StoredT | None:
        """Return what is stored of a key; None for one that doesn't hold, whatever the reason."""
        known = await self._known(key.key_id)
        if known is None or not key.matches(known.key_hash, self._pepper):
            return None
        return known if known.valid_at(now) else None

    def forget(self) -> None:
        """Ask the Ops DB again for each key."""
        self._remembered.clear()

    async def _known(self, key_id: KeyId) -> StoredT | None:
        change = self._news.of(key_id)
        if change is not None:
            self._remembered.pop(key_id, None)
            return change.key if isinstance(change.key, self._kind) else None
        remembered = self._remembered.get(key_id)
        if remembered is not None and time.monotonic() < remembered[0]:
            return remembered[1]
        stored = await self._stored(key_id)
        if self._news.of(key_id) is not None:
            return await self._known(key_id)  # it was changed meanwhile
        self._remember(key_id, stored)
        return stored

    def _remember(self, key_id: KeyId, stored: StoredT | None) -> None:
        self._remembered.pop(key_id, None)
        if stored is not None:
            self._remembered[key_id] = (time.monotonic() + REMEMBERED_SECONDS, stored)
        if len(self._remembered) > REMEMBERED_KEYS:
            self._remembered.popitem(last=False)
