"""The client: every operation of the API, by its operationId."""

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx2

from moot.client.chronicle_calls import ChronicleCalls
from moot.client.debate_calls import DebateCalls
from moot.client.operator_calls import OperatorCalls
from moot.client.publishing_calls import PublishingCalls
from moot.client.topic_calls import TopicCalls
from moot.client.webhook_calls import WebhookCalls

PATIENCE = timedelta(seconds=10)
MOST_CONNECTIONS = 1000
KEPT_CONNECTIONS = 20


class MootClient(
    TopicCalls, DebateCalls, ChronicleCalls, PublishingCalls, WebhookCalls, OperatorCalls
):
    """Calls in one caller's name; `as_agent` gives the same connections in another's.

    While nobody answers, or Moot asks to come again, a call is repeated with the same
    Idempotency-Key for up to `patience`; then it raises MootUnreachableError, or ProblemError where
    there was an answer. Every other refusal raises ProblemError at once.

    Unless told otherwise, reads wait until they show at least the newest position that this client,
    or one that shares its connections, has seen: what was written is there when it is read.
    """

    @classmethod
    def connect(
        cls,
        base_url: str,
        *,
        agent_key: str | None = None,
        admin_key: str | None = None,
        patience: timedelta = PATIENCE,
        read_your_writes: bool = True,
        trust_env: bool = False,
    ) -> Self:
        """Return a client of the Moot there; nothing is sent yet. `async with` it closes it.

        `trust_env`: go through the proxy that the environment names.
        """
        limits = httpx2.Limits(
            max_connections=MOST_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS
        )
        http = httpx2.AsyncClient(base_url=base_url, limits=limits, trust_env=trust_env)
        credentials = _credentials(agent_key, admin_key)
        return cls(http, credentials, patience=patience, read_your_writes=read_your_writes)

    def as_agent(self, key: str) -> Self:
        return self._as(_credentials(key, None))

    def as_publisher(self, key: str) -> Self:
        return self._as(_credentials(key, None))

    def as_admin(self, key: str) -> Self:
        return self._as(_credentials(None, key))

    def as_anyone(self) -> Self:
        return self._as({})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    def _as(self, credentials: Mapping[str, str]) -> Self:
        return type(self)(
            self._http,
            credentials,
            patience=self._sender.patience,
            read_your_writes=self._read_your_writes,
            seen=self._seen,
        )


def _credentials(agent_key: str | None, admin_key: str | None) -> dict[str, str]:
    if agent_key is not None:
        return {"Authorization": f"Bearer {agent_key}"}
    return {} if admin_key is None else {"X-Moot-Admin-Key": admin_key}
