"""Who publishes, and what they may: publishers known by their keys."""

import time
from collections.abc import Callable
from datetime import datetime

from moot.api.agent_secrets import PublisherKey
from moot.api.key_news import KeyNews
from moot.api.problems import Problem
from moot.api.queries.publishing import StoredPublisher, find_publisher
from moot.contracts.debates import Caller
from moot.contracts.ids import KeyId
from moot.contracts.publishing import PublisherName
from moot.runtime.database import Pool

REMEMBERED_SECONDS = 1.0
"""How long what the Ops DB says of a key counts without looking again."""
REMEMBERED_PUBLISHERS = 1000


class Publishers:
    def __init__(
        self, pool: Pool, news: KeyNews, *, pepper: str, now: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._news = news
        self._pepper = pepper
        self._now = now
        self._known: dict[KeyId, tuple[float, StoredPublisher]] = {}

    async def identify(self, key: PublisherKey) -> StoredPublisher | None:
        """Return whose key it is, None for one that doesn't hold."""
        stored = await self._stored(key.key_id)
        if stored is None or not key.matches(stored.key_hash, self._pepper):
            return None
        return stored if stored.valid_at(self._now()) else None

    def forget(self, name: PublisherName) -> None:
        for key_id in [k for k, (_, one) in self._known.items() if one.name == name]:
            del self._known[key_id]

    async def _stored(self, key_id: KeyId) -> StoredPublisher | None:
        change = self._news.of(key_id)
        if change is not None:
            self._known.pop(key_id, None)
            return change.key if isinstance(change.key, StoredPublisher) else None
        known = self._known.get(key_id)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        stored = await find_publisher(self._pool, key_id)
        if self._news.of(key_id) is not None:
            return await self._stored(key_id)  # it was changed meanwhile
        if stored is None:
            self._known.pop(key_id, None)
        else:
            self._remember(stored)
        return stored

    def _remember(self, publisher: StoredPublisher) -> None:
        if len(self._known) >= REMEMBERED_PUBLISHERS:
            self._known.clear()
        self._known[publisher.key_id] = (time.monotonic() + REMEMBERED_SECONDS, publisher)


def publisher_of(stored: StoredPublisher) -> Caller:
    return Caller(kind="publisher", id=stored.name)


def not_granted(stored: StoredPublisher, what: str) -> Problem:
    return Problem("not-granted", f"{stored.name} may not publish {what}")
