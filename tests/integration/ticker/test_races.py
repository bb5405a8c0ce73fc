"""A deadline that is moved or called off in the moment in which it is due."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from moot.contracts.ids import CommandId, TopicId
from moot.contracts.topic_commands import AmendTopic, CancelTopic, TopicCommand
from moot.contracts.topic_events import SignupOpened, TopicAmended
from moot.domain import topic
from moot.runtime.clock import utc_now
from moot.runtime.deciding import CommandContext
from moot.runtime.luck import new_id
from moot.ticker.app import build as build_ticker
from moot.ticker.settings import TickerSettings
from tests.support.debates import CREATOR, Debates, schedule
from tests.support.hosted import hosted
from tests.support.ticking import NOWHERE
from tests.support.waiting import until_moment

HOUR = timedelta(hours=1)
ATTEMPTS = (
    (timedelta(milliseconds=12), timedelta(seconds=1.5)),
    (timedelta(milliseconds=120), timedelta(seconds=6)),
    (timedelta(milliseconds=1200), timedelta(seconds=24)),
)
"""Windows around when it is due, and how long before that topics are proposed. On a slow machine
every command of a narrow window may come too late."""


async def ask_at(debates: Debates, topic_id: TopicId, command: TopicCommand, at: datetime) -> None:
    """Ask it then, refused or not: it may be too late."""
    await until_moment(at)
    command_id = CommandId(new_id())
    context = CommandContext(command_id, command.by.auth_id, command_id)
    await debates.dispatcher.dispatch(topic, topic_id, command, context)


async def outcomes(
    debates: Debates,
    commands: Sequence[tuple[timedelta, TopicCommand]],
    lead: timedelta,
    nats_url: str,
) -> list[list[str]]:
    """Return what became of a topic for each command, asked so long after its sign-up was due."""
    due_at = utc_now() + lead
    settings = TickerSettings(nats_url=nats_url, database_url=NOWHERE, replica="t1")
    async with hosted(build_ticker, settings):
        topics = [await debates.propose(schedule(due_at, 7200, 60, 60)) for _ in commands]
        await asyncio.gather(
            *(
                ask_at(debates, topic_id, command, due_at + at)
                for topic_id, (at, command) in zip(topics, commands, strict=True)
            )
        )
        # What was refused is tried again; twice as much time as that takes.
        marker = await debates.propose(schedule(utc_now() + timedelta(seconds=0.8), 7200, 60, 60))
        await debates.reaches(marker, "signup_opened")
        for topic_id in topics:
            await opened_when_it_was_due(debates, topic_id)
        return [await debates.types(topic_id) for topic_id in topics]


async def opened_when_it_was_due(debates: Debates, topic_id: TopicId) -> None:
    due_at = None
    for recorded in await debates.events(topic_id):
        match recorded.event:
            case TopicAmended():
                due_at = recorded.event.after.schedule.signup_open_at
            case SignupOpened():
                assert due_at is None, "it was moved"
                assert recorded.event.due_at <= recorded.stored_at
            case _:
                pass


def around(
    command: TopicCommand, count: int, window: timedelta
) -> list[tuple[timedelta, TopicCommand]]:
    return [((number / count - 0.5) * window, command) for number in range(count)]


async def race(
    debates: Debates, command: TopicCommand, count: int, nats_url: str, *, won: str
) -> set[tuple[str, ...]]:
    """Return what became of the topics, of one of which at least it is that the command has won."""
    seen: set[tuple[str, ...]] = set()
    for window, lead in ATTEMPTS:
        found = await outcomes(debates, around(command, count, window), lead, nats_url)
        seen |= {tuple(types) for types in found}
        if ("topic_created", won) in seen:
            break
    return seen


@pytest.mark.parametrize("count", [40, pytest.param(600, marks=pytest.mark.hard)])
async def test_what_is_moved_a_moment_before_it_is_due_does_not_fire_as_it_was(
    nats_url: str, debates: Debates, count: int
) -> None:
    later = AmendTopic(by=CREATOR, signup_open_at=utc_now() + HOUR)
    found = await race(debates, later, count, nats_url, won="topic_amended")
    moved = ("topic_created", "topic_amended")
    assert {moved} <= found <= {moved, ("topic_created", "signup_opened")}


@pytest.mark.parametrize("count", [40, pytest.param(600, marks=pytest.mark.hard)])
async def test_what_is_called_off_a_moment_before_it_is_due_does_not_fire(
    nats_url: str, debates: Debates, count: int
) -> None:
    cancel = CancelTopic(by=CREATOR, reason="called off")
    found = await race(debates, cancel, count, nats_url, won="topic_cancelled")
    called_off = ("topic_created", "topic_cancelled")
    late = ("topic_created", "signup_opened", "topic_cancelled")
    assert {called_off} <= found <= {called_off, late}
