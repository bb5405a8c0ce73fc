"""One reading for everyone: bounded, judged as of each event, begun anew on another Chronicle."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from moot.runtime.chronicle import Message, Stored
from moot.runtime.fan_out import Ending, FanOut, Heard, Subscription, Verdict
from moot.runtime.memory import InMemoryChronicle
from tests.support.messages import DELIVERY, OTHER_TOPIC, TOPIC, messages, texts
from tests.support.running import running


class Losing(InMemoryChronicle):
    """Comes back empty, as a restored backup may."""

    def lose_everything(self) -> None:
        for position in range(len(self._events), 0, -1):
            self.lose(position)
        self._events.clear()


class Latest:
    """A fold that knows the latest event, and how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.latest = ""

    async def load(self) -> int:
        self.begun += 1
        return 0

    async def see(self, event: Stored) -> None:
        self.latest = event.body.decode()


@pytest.fixture
def chronicle() -> Losing:
    return Losing(idle_seconds=0.02)


@pytest.fixture
def fold() -> Latest:
    return Latest()


@pytest.fixture
async def fan_out(chronicle: Losing, fold: Latest) -> AsyncIterator[FanOut]:
    fan_out = FanOut(chronicle, fold, most=3, most_bytes=100)
    async with running(fan_out.run()):
        assert await fan_out.reached(0, 5)
        yield fan_out


def everything(_: Heard) -> Verdict:
    return Verdict.TELL


async def heard(subscription: Subscription, count: int) -> list[str]:
    found: list[Stored] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += [one.stored for one in await subscription.next()]
    return texts(found)


async def test_everyone_hears_what_they_subscribed_to_from_then_on(
    chronicle: Losing, fan_out: FanOut
) -> None:
    await chronicle.append(TOPIC, 0, messages("before"))
    assert await fan_out.reached(1, 5)
    of_all = fan_out.subscribe(None, everything)
    of_one = fan_out.subscribe(TOPIC.subject, everything)
    assert (of_all.position, of_one.position) == (1, 1)

    await chronicle.append(DELIVERY, 0, messages("a"))
    await chronicle.append(TOPIC, 1, messages("b"))
    await chronicle.append(OTHER_TOPIC, 0, messages("c"))

    assert await heard(of_all, 3) == ["a", "b", "c"]
    assert await heard(of_one, 1) == ["b"]


async def test_an_event_is_judged_when_the_fold_is_as_of_it(
    chronicle: Losing, fold: Latest, fan_out: FanOut
) -> None:
    def judge(one: Heard) -> Verdict:
        assert fold.latest == one.stored.body.decode()
        return {"end": Verdict.END, "not this": Verdict.PASS_OVER}.get(fold.latest, Verdict.TELL)

    subscription = fan_out.subscribe(None, judge)
    await chronicle.append(TOPIC, 0, messages("a", "not this", "b"))
    assert await heard(subscription, 2) == ["a", "b"]
    await chronicle.append(TOPIC, 3, messages("c", "end", "d"))
    assert await fan_out.reached(6, 5)
    assert await subscription.next() == []
    assert subscription.ending is Ending.FORBIDDEN


@pytest.mark.parametrize("sent", [messages("1", "2", "3", "4"), [Message("large", b"x" * 101)]])
async def test_who_does_not_keep_up_is_let_go(
    chronicle: Losing, fan_out: FanOut, sent: list[Message]
) -> None:
    slow = fan_out.subscribe(None, everything)
    told: list[bool] = []
    slow.on_end = lambda: told.append(True)

    await chronicle.append(TOPIC, 0, sent)
    assert await fan_out.reached(len(sent), 5)

    assert (slow.ending, told, await slow.next()) == (Ending.BEHIND, [True], [])


async def test_another_chronicle_in_its_place_ends_everything_and_is_begun_anew(
    chronicle: Losing, fold: Latest, fan_out: FanOut
) -> None:
    await chronicle.append(TOPIC, 0, messages("a"))
    assert await fan_out.reached(1, 5)
    subscription = fan_out.subscribe(None, everything)

    chronicle.lose_everything()
    assert await subscription.next() == []
    assert subscription.ending is Ending.REPLACED
    fan_out.unsubscribe(subscription)
    assert await fan_out.reached(0, 5)
    again = fan_out.subscribe(None, everything)
    await chronicle.append(TOPIC, 0, messages("new"))

    assert await heard(again, 1) == ["new"]
    assert fold.begun == 2


async def test_once_it_stops_nobody_waits_any_more(fan_out: FanOut) -> None:
    before = fan_out.subscribe(None, everything)
    await fan_out.stop()
    after = fan_out.subscribe(None, everything)
    assert (before.ending, after.ending) == (Ending.STOPPING, Ending.STOPPING)
    assert await before.next() == await after.next() == []
