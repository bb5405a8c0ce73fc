"""Who is calling: an agent by its key, an admin by theirs, or nobody in particular."""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

import structlog
from starlette.datastructures import Headers

from moot.api.agent_secrets import AgentKey, PublisherKey
from moot.api.key_news import KeyNews
from moot.api.problems import Problem
from moot.api.publisher_keys import Publishers, publisher_of
from moot.api.queries.agent_keys import StoredKey, find_key, note_uses
from moot.api.queries.publishing import StoredPublisher
from moot.contracts.debates import ADMIN, ANONYMOUS, Caller
from moot.contracts.ids import AgentId, KeyId
from moot.runtime.database import Pool, is_outage

ADMIN_KEY_HEADER = "x-moot-admin-key"
REMEMBERED_SECONDS = 1.0
"""How long what the Ops DB says of a key counts without looking again."""
REMEMBERED_KEYS = 10_000
NOTE_SECONDS = 5.0

log = structlog.stdlib.get_logger()


class Callers:
    """Knows callers by their credentials. `note_uses_for_ever` is a job of the service."""

    def __init__(
        self,
        pool: Pool,
        news: KeyNews,
        *,
        admin_key: str | None,
        pepper: str,
        now: Callable[[], datetime],
    ) -> None:
        self.publishers = Publishers(pool, news, pepper=pepper, now=now)
        self.news = news
        self._pool = pool
        self._admin_key = None if admin_key is None else _digest(admin_key)
        self._pepper = pepper
        self.now = now
        self._known: OrderedDict[KeyId, tuple[float, StoredKey]] = OrderedDict()
        self._used: dict[KeyId, datetime] = {}

    async def identify(self, headers: Headers) -> Caller:
        """Return who calls. Raises Problem `bad-credentials` for any that don't hold.

        Who sends both an admin's and an agent's is the admin, if both hold.
        """
        admin_key = headers.get(ADMIN_KEY_HEADER)
        admin = None if admin_key is None else self._admin(admin_key)
        authorization = headers.get("authorization")
        if authorization is None:
            return admin or ANONYMOUS
        caller = await self._by_token(headers)
        return admin or caller

    async def _by_token(self, headers: Headers) -> Caller:
        key = AgentKey.parse(bearer(headers.get("authorization", "")))
        if key is None:
            return publisher_of(await self.publisher(headers))
        return await self._agent(key)

    async def publisher(self, headers: Headers) -> StoredPublisher:
        """Return which publisher calls, with its grant. Raises Problem `bad-credentials`."""
        key = PublisherKey.parse(bearer(headers.get("authorization", "")))
        publisher = None if key is None else await self.publishers.identify(key)
        if publisher is None:
            raise bad_credentials()
        return publisher

    def forget(self, agent_id: AgentId) -> None:
        for key_id in [k for k, (_, key) in self._known.items() if key.agent_id == agent_id]:
            del self._known[key_id]

    async def note_uses_for_ever(self) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            await self.note_uses()

    async def note_uses(self) -> None:
        """Write when each key was last used. What is lost here matters to nobody."""
        uses, self._used = self._used, {}
        if not uses:
            return
        try:
            await note_uses(self._pool, uses)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("last_uses_lost", keys=len(uses), reason=str(error))

    def _admin(self, admin_key: str) -> Caller:
        if self._admin_key is None or not hmac.compare_digest(self._admin_key, _digest(admin_key)):
            raise bad_credentials()
        return ADMIN

    async def _agent(self, key: AgentKey) -> Caller:
        stored = await self._stored(key.key_id)
        now = self.now()
        # One answer for every reason: whoever guesses learns nothing.
        if stored is None or not key.matches(stored.key_hash, self._pepper):
            raise bad_credentials()
        if not stored.valid_at(now):
            raise bad_credentials()
        self._used[key.key_id] = now
        return Caller(kind="agent", id=stored.agent_id)

    async def _stored(self, key_id: KeyId) -> StoredKey | None:
        change = self.news.of(key_id)
        if change is not None:
            self._known.pop(key_id, None)
            return change.key if isinstance(change.key, StoredKey) else None
        known = self._known.get(key_id)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        stored = await find_key(self._pool, key_id)
        if self.news.of(key_id) is not None:
            return await self._stored(key_id)  # it was changed meanwhile
        if stored is None:
            self._known.pop(key_id, None)
        else:
            self._remember(stored)
        return stored

    def _remember(self, key: StoredKey) -> None:
        self._known[key.key_id] = (time.monotonic() + REMEMBERED_SECONDS, key)
        self._known.move_to_end(key.key_id)
        if len(self._known) > REMEMBERED_KEYS:
            self._known.popitem(last=False)


def bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def bad_credentials() -> Problem:
    challenge = 'Bearer realm="moot", error="invalid_token"'
    return Problem("bad-credentials", headers={"WWW-Authenticate": challenge})


def credentials_required() -> Problem:
    return Problem("credentials-required", headers={"WWW-Authenticate": 'Bearer realm="moot"'})


def _digest(text: str) -> bytes:
    """Of equal length whatever is sent, so that comparing tells nothing about it."""
    return sha256(text.encode()).digest()
