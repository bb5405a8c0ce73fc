"""A running Moot, as tests use it. It belongs to no event loop and to no test."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from moot.client import MootClient
from moot.contracts.catalogue import INGESTIBLE, Event
from moot.contracts.debates import Camp, Stage
from moot.testing.debates import ARGUMENTS, Debate, Play, Wish
from moot.testing.fabric_guild import FabricGuild, GuildMessage
from moot.testing.failures import MootTestingError
from moot.testing.names import fresh
from moot.testing.projections import wait_for_projection
from moot.testing.publishing import Publisher, append, as_document, stream_of

AnswerT = TypeVar("AnswerT")

Form = Literal["env", "wheels", "containers"]

PATIENCE = timedelta(seconds=10)
DEBATE_TAKES = timedelta(seconds=1.5)


@dataclass(frozen=True, slots=True)
class MootStack:
    """Everything of one Moot. Events stay in it for ever: tests keep apart by `fresh` ids.

    What is None is not known: of a Moot that the environment names, whatever that doesn't say.
    """

    form: Form
    api_url: str
    admin_key: str = field(repr=False)
    nats_url: str | None = field(default=None, repr=False)
    database_url: str | None = field(default=None, repr=False)
    guild: FabricGuild | None = None
    log: Path | None = None
    """What all its processes say, line by line."""
    _publisher: Publisher = field(default_factory=Publisher, repr=False, compare=False)

    def admin(self) -> MootClient:
        """Return an admin's client; `async with` it."""
        return MootClient.connect(self.api_url, admin_key=self.admin_key)

    @asynccontextmanager
    async def client(self, agent: str | None = None) -> AsyncGenerator[MootClient]:
        """A client in the name of an agent, by a key that is issued to it; a new agent if None.

        Another key that the agent has had ends.
        """
        async with self.admin() as admin:
            issued = await admin.issue_agent_key(agent or fresh("agent"), force=True)
            yield admin.as_agent(issued.key)

    async def publish(self, event: Event | Mapping[str, Any], *, subject: str | None = None) -> int:
        """Publish an event, and return its position.

        As another system would, by `POST /api/events`: a CloudEvents document, or an event of
        `moot.contracts` to the stream `subject`, e.g. `posture/windows-baseline`. An event of a
        type that Moot decides itself is written into the Chronicle past its deciders: it is told as
        any other is, but needn't follow from what was there before.

        Raises ProblemError where Moot refuses it, MootTestingError where it can't be published.
        """
        if not isinstance(event, Mapping) and event.type not in INGESTIBLE:
            return await append(self._nats(), event, stream_of(event, subject))
        async with self.admin() as admin:
            return await self._publisher.publish(admin, as_document(event, subject))

    async def wait_for_projection(
        self, position: int, projection: str | None = None, *, within: timedelta = PATIENCE
    ) -> None:
        """Return as soon as reads show what is at `position`, in one projection or in all.

        Moot holds the answer back until then. Raises NeverCameError.
        """
        async with self.admin() as admin:
            await wait_for_projection(admin, position, projection, within)

    @property
    def fabric_guild(self) -> FabricGuild:
        """The stand-in guild that it announces to. Raises MootTestingError where there is none."""
        if self.guild is None:
            raise MootTestingError(
                "of this Moot no stand-in guild is known: set MOOT_TEST_GUILD_URL"
            )
        return self.guild

    async def debate(
        self,
        stage: Stage | str = Stage.COMPLETED,
        *,
        title: str = "Should it be so?",
        arguments: Mapping[Camp, str] = ARGUMENTS,
        verdict: Mapping[str, Any] | None = None,
        debate_takes: timedelta = DEBATE_TAKES,
    ) -> Debate:
        """Play a new debate up to a stage, by Moot's own rules, with new agents.

        It stays there for an hour. To be judged it has to end: that is `debate_takes` after it
        starts, later where Moot is slow, which has to be enough to post the `arguments`.
        """
        wish = Wish(Stage(stage), title, arguments, verdict or {"winner": Camp.PRO}, debate_takes)
        async with self.admin() as admin:
            return await Play(admin, wish).debate()

    @property
    def blocking(self) -> "BlockingMoot":
        """The same for tests that aren't async."""
        return BlockingMoot(self)

    def _nats(self) -> str:
        if self.nats_url is None:
            raise MootTestingError(
                "events that Moot decides are written over NATS: set MOOT_TEST_NATS_URL"
            )
        return self.nats_url


@dataclass(frozen=True, slots=True)
class BlockingMoot:
    """A stack for tests that aren't async: each call is over when it returns."""

    stack: MootStack

    def run(self, work: Coroutine[Any, Any, AnswerT]) -> AnswerT:
        """Do anything with the stack to its end, e.g. `run(moot_stack.fabric_guild.messages())`."""
        return asyncio.run(work)

    def publish(self, event: Event | Mapping[str, Any], *, subject: str | None = None) -> int:
        """See `MootStack.publish`."""
        return self.run(self.stack.publish(event, subject=subject))

    def wait_for_projection(
        self, position: int, projection: str | None = None, *, within: timedelta = PATIENCE
    ) -> None:
        """See `MootStack.wait_for_projection`."""
        self.run(self.stack.wait_for_projection(position, projection, within=within))

    def debate(self, stage: Stage | str = Stage.COMPLETED, **wishes: Any) -> Debate:  # noqa: ANN401 those of MootStack.debate
        """See `MootStack.debate`."""
        return self.run(self.stack.debate(stage, **wishes))

    def announcement(
        self, topic_id: str, kind: str, *, within: timedelta = PATIENCE
    ) -> GuildMessage:
        """See `FabricGuild.announcement`."""
        return self.run(self.stack.fabric_guild.announcement(topic_id, kind, within=within))
