"""An announcer at work: what goes in by the Chronicle, and what becomes of it."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from moot.announcer.app import build
from moot.announcer.settings import AnnouncerSettings
from moot.contracts.catalogue import Event
from moot.contracts.debates import ADMIN
from moot.contracts.deliveries import FabricChannel, WebhookEndpoint, queue_id
from moot.contracts.ids import CommandId, TopicId, WebhookId
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import CancelTopic, OpenSignup
from moot.contracts.webhooks import (
    WEBHOOKS,
    RegisterWebhook,
    RotateWebhookSecret,
    SecretVersion,
    WebhookCommand,
    WebhookTerms,
)
from moot.domain import webhooks
from moot.domain.webhook_secrets import WebhookSecret
from moot.domain.webhooks import Webhook
from moot.runtime.clock import utc_now
from moot.runtime.decoding import decoded
from moot.runtime.dispatch import CommandContext, Outcome
from moot.runtime.luck import new_id
from moot.ticker.app import build as build_ticker
from moot.ticker.settings import TickerSettings
from tests.support.debates import Debates, schedule
from tests.support.hosted import Hosted, hosted
from tests.support.receiver import Receiver
from tests.support.topics import TICKER
from tests.support.waiting import until

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
SECRET_KEY = "a key that all replicas share"


@dataclass(frozen=True)
class Announcing:
    nats_url: str
    receiver: Receiver
    debates: Debates

    def settings(self, **changes: str | None) -> AnnouncerSettings:
        return AnnouncerSettings.model_validate(
            {
                "nats_url": self.nats_url,
                "fabric_guild_base_url": self.receiver.base_url,
                "fabric_announce_channel_id": "news",
                "fabric_system_api_key": "system",
                "fabric_bot_bearer_token": "bot",
            }
            | changes
        )

    @asynccontextmanager
    async def announcer(self, **changes: str | None) -> AsyncGenerator[Hosted]:
        async with hosted(build, self.settings(**changes)) as running:
            yield running

    @asynccontextmanager
    async def process(self, **changes: str) -> AsyncGenerator[Process]:
        """An announcer in a process of its own, to be killed."""
        environment = {
            "NATS_URL": self.nats_url,
            "FABRIC_GUILD_BASE_URL": self.receiver.base_url,
            "FABRIC_ANNOUNCE_CHANNEL_ID": "news",
            "FABRIC_SYSTEM_API_KEY": "system",
            "FABRIC_BOT_BEARER_TOKEN": "bot",
        } | changes
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "moot.announcer", env=environment
        )
        yield process
        await process.wait()

    @asynccontextmanager
    async def ticker(self) -> AsyncGenerator[None]:
        settings = TickerSettings(nats_url=self.nats_url, database_url=NOWHERE, replica="t1")
        async with hosted(build_ticker, settings):
            yield

    async def open_topic(self, **terms: object) -> TopicId:
        topic_id = await self.debates.propose(schedule(utc_now(), 3600, 3600, 3600), **terms)
        await self.debates.ask(topic_id, OpenSignup(by=TICKER))
        return topic_id

    async def cancel(self, topic_id: TopicId) -> None:
        await self.debates.ask(topic_id, CancelTopic(by=ADMIN, reason="spam"))

    def queue(self, topic_id: TopicId, channel: str = "news") -> StreamName:
        to = FabricChannel(guild_base_url=self.receiver.base_url, channel_id=channel)
        return StreamName("delivery", queue_id(topic_id, to))

    async def history(self, queue: StreamName) -> list[str]:
        stored = await self.debates.chronicle.read(queue)
        return [decoded(one).event.type.split(".")[2] for one in stored]

    async def becomes(
        self, queue: StreamName, done: Callable[[list[str]], bool], *, within: float = 15
    ) -> list[str]:
        async def holds() -> bool:
            return done(await self.history(queue))

        await until(holds, within=within)
        return await self.history(queue)


@dataclass(frozen=True)
class Webhooking:
    """Webhooks, and an announcer that sends to nobody else."""

    announcing: Announcing

    @asynccontextmanager
    async def announcer(
        self, *receivers: Receiver, **changes: str | None
    ) -> AsyncGenerator[Hosted]:
        """An announcer that may call these receivers, though they are on this machine."""
        allowed = ",".join(f"127.0.0.1:{receiver.port}" for receiver in receivers)
        settings: dict[str, str | None] = {
            "fabric_guild_base_url": None,
            "secret_key": SECRET_KEY,
            "webhook_allowed_hosts": allowed,
        }
        async with self.announcing.announcer(**settings | changes) as running:
            yield running

    async def register(self, url: str, **terms: object) -> WebhookId:
        webhook_id = WebhookId(new_id())
        fingerprint = WebhookSecret.derive(SECRET_KEY, webhook_id, 1).fingerprint
        await self.ask(
            RegisterWebhook(
                by=ADMIN,
                webhook_id=webhook_id,
                terms=WebhookTerms.model_validate({"url": url} | terms),
                fingerprint=fingerprint,
            )
        )
        return webhook_id

    async def rotate(self, webhook_id: WebhookId, overlap: timedelta) -> WebhookSecret:
        version = (await self.webhook(webhook_id)).secret.version + 1
        secret = WebhookSecret.derive(SECRET_KEY, webhook_id, version)
        await self.ask(
            RotateWebhookSecret(
                by=ADMIN,
                webhook_id=webhook_id,
                secret=SecretVersion(version=version, fingerprint=secret.fingerprint),
                overlap=overlap,
            )
        )
        return secret

    async def ask(self, command: WebhookCommand) -> None:
        command_id = CommandId(new_id())
        context = CommandContext(command_id, command.by.auth_id, command_id)
        dispatcher = self.announcing.debates.dispatcher
        result = await dispatcher.dispatch(webhooks, WEBHOOKS, command, context)
        assert isinstance(result, Outcome), result

    async def webhook(self, webhook_id: WebhookId) -> Webhook:
        loaded = await self.announcing.debates.dispatcher.load(webhooks, WEBHOOKS)
        return loaded.state.by_id[webhook_id]

    def queue(self, topic_id: TopicId, webhook_id: WebhookId) -> StreamName:
        return StreamName("delivery", queue_id(topic_id, WebhookEndpoint(webhook_id=webhook_id)))

    async def events(self, queue: StreamName) -> list[Event]:
        stored = await self.announcing.debates.chronicle.read(queue)
        return [decoded(one).event for one in stored]


def delivered(count: int) -> Callable[[list[str]], bool]:
    return lambda history: history.count("announcement_delivered") == count
