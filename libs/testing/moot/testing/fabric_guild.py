"""The stand-in guild that a stack announces to, as tests read it."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from moot.testing.failures import NeverCameError

PATIENCE = timedelta(seconds=10)
LONGEST_WAIT = timedelta(seconds=5)
"""How long the guild holds one question back."""
ANSWERS_WITHIN = timedelta(seconds=10)


class GuildMessage(BaseModel):
    """A message in the guild's announce channel."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    seq: int
    """Its place in the channel, from 1."""
    content: str
    metadata: dict[str, Any]
    """What it is about: `type`, `topic_id`, `position` and more."""
    idempotency_key: str
    """The id of the event that is announced."""
    times_received: int
    """A repeat under the same key is counted, and posts nothing."""

    @property
    def kind(self) -> str:
        """`verdict_submitted`, if what is announced is `moot.topic.verdict_submitted.v1`."""
        return str(self.metadata.get("type", "..")).split(".")[2]


@dataclass(frozen=True, slots=True)
class FabricGuild:
    """Keeps what was announced to its one channel since it started."""

    base_url: str
    channel_id: str

    async def messages(self, topic_id: str | None = None) -> list[GuildMessage]:
        """Return what has been announced, of one topic or of all, in the order in which it came."""
        return _about(topic_id, await self._ask(0, timedelta(0)))

    async def announcement(
        self, topic_id: str, kind: str, *, within: timedelta = PATIENCE
    ) -> GuildMessage:
        """Wait until something is announced of the topic, e.g. `verdict_submitted`, and return it.

        Raises NeverCameError.
        """
        seen: list[GuildMessage] = []
        try:
            async with asyncio.timeout(within.total_seconds()):
                while True:
                    seen += await self._ask(seen[-1].seq if seen else 0, LONGEST_WAIT)
                    for message in _about(topic_id, seen):
                        if message.kind == kind:
                            return message
        except TimeoutError:
            came = ", ".join(message.kind for message in _about(topic_id, seen)) or "nothing"
            raise NeverCameError(
                f"no {kind} of topic {topic_id} was announced in {within.total_seconds():g} s;"
                f" of that topic came: {came}"
            ) from None

    async def _ask(self, after: int, wait: timedelta) -> list[GuildMessage]:
        """Return what comes after a place, at once if there is something, or after `wait`."""
        timeout = (wait + ANSWERS_WITHIN).total_seconds()
        async with httpx2.AsyncClient(trust_env=False, timeout=timeout) as http:
            answer = await http.get(
                f"{self.base_url}/api/channels/{self.channel_id}/messages",
                params={"after": after, "wait": wait.total_seconds()},
            )
        items = answer.raise_for_status().json()["items"]
        return [GuildMessage.model_validate(item) for item in items]


def _about(topic_id: str | None, messages: list[GuildMessage]) -> list[GuildMessage]:
    return [m for m in messages if topic_id is None or m.metadata.get("topic_id") == topic_id]
