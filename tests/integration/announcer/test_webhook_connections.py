"""A webhook's connection goes to the address that was checked, in the name that its URL has."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from moot.announcer.addresses import Addresses
from moot.announcer.answers import Posting
from moot.announcer.webhooks import WebhookPosts
from moot.contracts.debates import Caller
from moot.contracts.deliveries import Announcement
from moot.contracts.ids import EventId, Position, TopicId, derived_id
from moot.runtime.clock import utc_now
from tests.support.announcing import SECRET_KEY, Announcing, Webhooking
from tests.support.certificates import self_signed
from tests.support.receiver import Receiver

HOST = "hooks.example"


@dataclass
class Secure:
    """A receiver behind TLS; `asked_for` has the names that clients named."""

    receiver: Receiver
    trusted: ssl.SSLContext
    asked_for: list[str | None] = field(default_factory=list[str | None])


@asynccontextmanager
async def secure(name: str, folder: Path) -> AsyncGenerator[Secure]:
    file = self_signed(name, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    made = Secure(Receiver(), ssl.create_default_context(cafile=str(file)))
    context.sni_callback = lambda _, asked, __: made.asked_for.append(asked)
    server = await asyncio.start_server(made.receiver.connected, "127.0.0.1", 0, ssl=context)
    made.receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for connection in made.receiver.connections:
            connection.cancel()
        await asyncio.gather(*made.receiver.connections, return_exceptions=True)


@dataclass
class Names:
    """A name server that gives each answer once; whoever asks more often is told something else."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list[str])

    def __call__(self, host: str, _: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


ANNOUNCEMENT = Announcement(
    event_id=EventId(derived_id("event")),
    event_type="moot.topic.signup_opened.v1",
    topic_id=TopicId(derived_id("topic")),
    position=Position(2),
    content="Sign-up is open.",
    metadata={"time": "2026-11-21T12:00:00Z", "source": "moot/api", "subject": "", "url": None},
)


@pytest.fixture
async def trusting() -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Clients, closed in the end."""
    clients: list[httpx2.AsyncClient] = []
    yield clients
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize("certified", [HOST, "another.example"])
async def test_the_certificate_has_to_be_that_of_the_urls_host(
    certified: str,
    tmp_path: Path,
    trusting: list[httpx2.AsyncClient],
    announcing: Announcing,
    webhooking: Webhooking,
) -> None:
    async with secure(certified, tmp_path) as server:
        port = server.receiver.port
        hook = await webhooking.register(f"https://{HOST}:{port}/hook")
        names = Names([("127.0.0.1",), ("127.0.0.2",)])
        trusting.append(httpx2.AsyncClient(verify=server.trusted, trust_env=False))
        posts = WebhookPosts(
            announcing.debates.dispatcher,
            Posting(trusting[0], now=utc_now),
            Addresses(frozenset({HOST}), names),
            SECRET_KEY,
            now=utc_now,
        )
        (opened, *_) = await announcing.debates.events(await announcing.open_topic())
        answer = await posts.post(hook, ANNOUNCEMENT, Caller.service("announcer"), opened)
    assert names.asked == [HOST], "once"
    assert server.asked_for == [HOST]
    if certified == HOST:
        assert answer.status == 201
        assert server.receiver.posts[0].headers["host"] == f"{HOST}:{port}"
    else:
        assert (answer.status, answer.error) == (None, "ConnectError")
        assert server.receiver.posts == []


async def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(
    trusting: list[httpx2.AsyncClient],
    announcing: Announcing,
    webhooking: Webhooking,
    receiver: Receiver,
) -> None:
    """The first answer is public and, in a test, unreachable: what counts is who isn't called."""
    hook = await webhooking.register(f"http://{HOST}:{receiver.port}/hook")
    names = Names([("192.0.2.1",), ("127.0.0.1",)])
    trusting.append(httpx2.AsyncClient(trust_env=False, timeout=0.2))
    posts = WebhookPosts(
        announcing.debates.dispatcher,
        Posting(trusting[0], now=utc_now),
        Addresses(frozenset({HOST}), names),
        SECRET_KEY,
        now=utc_now,
    )
    (opened, *_) = await announcing.debates.events(await announcing.open_topic())
    first = await posts.post(hook, ANNOUNCEMENT, Caller.service("announcer"), opened)
    assert first.status is None
    assert names.asked == [HOST]
    assert receiver.posts == []
