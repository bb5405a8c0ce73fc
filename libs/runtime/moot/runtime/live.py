"""What is said on core NATS: heard by who listens now, and stored nowhere."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg

from moot.runtime.clock import utc_now
from moot.runtime.nats_connection import LostAnswerError, NatsConnection

BEAT_SECONDS = 0.25
ALIVE_SECONDS = 1.0
_BEATS_COMPARED = 8


@dataclass(slots=True)
class _Heard:
    """What a replica's last beats said. `leads`: its clock minus ours, less their way here."""

    at: float
    fit: bool
    leads: deque[float] = field(default_factory=lambda: deque[float](maxlen=_BEATS_COMPARED))


class Heartbeats:
    """Tells the replicas of a service who of them is alive: heard within the last second.

    `subject` gives a replica's own subject; the id of who speaks is its last token. `fit` says
    whether this replica should be counted on; one that shouldn't is alive all the same.
    """

    def __init__(
        self,
        connection: NatsConnection,
        replica: str,
        *,
        subject: Callable[[str], str],
        fit: Callable[[], bool] = lambda: True,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._connection = connection
        self._replica = replica
        self._subject = subject
        self._fit = fit
        self._now = now
        self._heard: dict[str, _Heard] = {}

    def living(self) -> Mapping[str, bool]:
        """Return the replicas that are alive, this one always among them, and which are fit."""
        self._forget_silent()
        return {r: heard.fit for r, heard in self._heard.items()} | {self._replica: self._fit()}

    def leads(self) -> Mapping[str, float]:
        """Return by how many seconds each other living replica's clock is ahead of this one's.

        A beat takes time to get here, so it is a little less than the truth.
        """
        self._forget_silent()
        return {
            replica: max(heard.leads)
            for replica, heard in self._heard.items()
            if heard.leads and replica != self._replica
        }

    def _forget_silent(self) -> None:
        silent_since = time.monotonic() - ALIVE_SECONDS
        self._heard = {r: heard for r, heard in self._heard.items() if heard.at > silent_since}

    async def run(self) -> None:
        """Listen and beat, for ever."""
        while True:
            await self._connection.until_connected()
            # A client that the server has thrown out is replaced, and its subscriptions are gone.
            client = self._connection.client
            heard = await self._connection.subscribe(self._subject("*"), self._hear)
            try:
                while self._connection.client is client:
                    await self._beat()
                    await asyncio.sleep(BEAT_SECONDS)
            finally:
                if not client.is_closed:
                    await heard.unsubscribe()

    async def _hear(self, message: Msg) -> None:
        replica = message.subject.rpartition(".")[2]
        said: dict[str, Any] = json.loads(message.data) if message.data else {}
        heard = self._heard.setdefault(replica, _Heard(0.0, fit=True))
        heard.at = time.monotonic()
        heard.fit = said.get("fit", True)
        if "now" in said:
            lead = datetime.fromisoformat(said["now"]) - self._now()
            heard.leads.append(lead.total_seconds())

    async def _beat(self) -> None:
        beat = {"now": self._now().isoformat(), "fit": self._fit()}
        try:
            await self._connection.publish(self._subject(self._replica), json.dumps(beat).encode())
        except LostAnswerError:
            return  # while NATS is away nobody hears anybody, and everyone counts as alone
