"""Who is calling: an agent by its key, an admin by theirs, or nobody in particular."""

import asyncio
import hmac
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256

import structlog
from starlette.datastructures import Headers

from moot.api.agent_secrets import AgentKey, PublisherKey
from moot.api.key_news import KeyNews
from moot.api.known_keys import KnownKeys
from moot.api.problems import Problem
from moot.api.queries.agent_keys import StoredKey, find_key, note_uses
from moot.api.queries.publishing import StoredPublisher, find_publisher
from moot.contracts.debates import ADMIN, ANONYMOUS, Caller
from moot.contracts.ids import KeyId
from moot.runtime.database import Pool, is_outage

ADMIN_KEY_HEADER = "x-moot-admin-key"
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
        self._agents = KnownKeys(StoredKey, partial(find_key, pool), news, pepper)
        self._publishers = KnownKeys(StoredPublisher, partial(find_publisher, pool), news, pepper)
        self.news = news
        self._pool = pool
        self._admin_key = None if admin_key is None else _digest(admin_key)
        self.now = now
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
            return Caller(kind="publisher", id=(await self.publisher(headers)).name)
        return await self._agent(key)

    async def publisher(self, headers: Headers) -> StoredPublisher:
        """Return which publisher calls, with its grant. Raises Problem `bad-credentials`."""
        key = PublisherKey.parse(bearer(headers.get("authorization", "")))
        publisher = None if key is None else await self._publishers.holding(key, self.now())
        if publisher is None:
            raise bad_credentials()
        return publisher

    def forget(self) -> None:
        """Ask the Ops DB again for each key."""
        self._agents.forget()
        self._publishers.forget()

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
        now = self.now()
        stored = await self._agents.holding(key, now)
        # One answer for every reason: whoever guesses learns nothing.
        if stored is None:
            raise bad_credentials()
        self._used[key.key_id] = now
        return Caller(kind="agent", id=stored.agent_id)


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
