"""What is said on core NATS: heard by who listens now, and stored nowhere."""

import asyncio
import time
from collections.abc import Callable

from nats.aio.msg import Msg

from moot.runtime.nats_connection import LostAnswerError, NatsConnection

BEAT_SECONDS = 0.25
ALIVE_SECONDS = 1.0


class Heartbeats:
    """Tells the replicas of a service who of them is alive: heard within the last second.

    `subject` gives a replica's own subject; the id of who speaks is its last token.
    """

    def __init__(
        self, connection: NatsConnection, replica: str, *, subject: Callable[[str], str]
    ) -> None:
        self._connection = connection
        self._replica = replica
        self._subject = subject
        self._heard: dict[str, float] = {}

    def living(self) -> frozenset[str]:
        """Return the replicas that are alive, this one always among them."""
        silent_since = time.monotonic() - ALIVE_SECONDS
        self._heard = {r: at for r, at in self._heard.items() if at > silent_since}
        return frozenset({*self._heard, self._replica})

    async def run(self) -> None:
        """Listen and beat, for ever."""
        client = self._connection.client
        heard = await client.subscribe(self._subject("*"), cb=self._hear)  # pyright: ignore[reportUnknownMemberType] its unused `future` is untyped
        try:
            while True:
                await self._beat()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            if not client.is_closed:
                await heard.unsubscribe()

    async def _hear(self, message: Msg) -> None:
        self._heard[message.subject.rpartition(".")[2]] = time.monotonic()

    async def _beat(self) -> None:
        try:
            await self._connection.publish(self._subject(self._replica), b"")
        except LostAnswerError:
            return  # while NATS is away nobody hears anybody, and everyone counts as alone
