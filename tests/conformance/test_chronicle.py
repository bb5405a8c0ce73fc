"""What every Chronicle promises."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from moot.contracts.envelope import MAX_MESSAGE_BYTES
from moot.runtime.chronicle import Chronicle, Conflict, Message, MessageTooLargeError
from tests.support.messages import (
    DELIVERY,
    OTHER_TOPIC,
    TOPIC,
    caught_up,
    followed,
    message,
    messages,
    texts,
)
from tests.support.waiting import stopwatch


async def test_an_appended_event_is_stored_as_it_was_given(chronicle: Chronicle) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)

    position = await chronicle.append(TOPIC, 0, messages("opened"))

    stored = await chronicle.get(position)
    assert stored is not None
    assert (stored.position, stored.stream) == (position, TOPIC)
    assert (stored.id, stored.body) == (message("opened").id, b"opened")
    assert before < stored.stored_at < datetime.now(UTC) + timedelta(seconds=1)
    assert stored.stored_at.tzinfo is UTC


async def test_every_way_of_reading_shows_the_same_event(chronicle: Chronicle) -> None:
    position = await chronicle.append(TOPIC, 0, messages("opened"))

    found = await chronicle.get(position)
    async with aclosing(chronicle.follow(0)) as batches:
        followed_one = await followed(batches, 1)
    assert followed_one == [found]
    assert await chronicle.read(TOPIC) == [found]
    assert await chronicle.last(TOPIC) == found


async def test_positions_rise_over_all_streams(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("a"))
    second = await chronicle.append(DELIVERY, 0, messages("b"))
    third = await chronicle.append(TOPIC, first, messages("c", "d"))

    assert (first, second, third) == (1, 2, 4)
    assert await chronicle.head() == 4


async def test_who_expects_an_old_position_stores_nothing(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("mine"))
    second = await chronicle.append(TOPIC, first, messages("theirs"))

    with pytest.raises(Conflict) as conflict:
        await chronicle.append(TOPIC, first, messages("mine, late"))
    assert conflict.value.last == second
    with pytest.raises(Conflict):
        await chronicle.append(TOPIC, 0, messages("born again"))
    assert texts(await chronicle.read(TOPIC)) == ["mine", "theirs"]


async def test_who_expects_a_position_that_never_was_stores_nothing(chronicle: Chronicle) -> None:
    with pytest.raises(Conflict) as conflict:
        await chronicle.append(TOPIC, 7, messages("from elsewhere"))

    assert conflict.value.last == 0
    assert await chronicle.head() == 0


async def test_a_batch_is_stored_in_order_and_side_by_side(chronicle: Chronicle) -> None:
    await chronicle.append(DELIVERY, 0, messages("before"))

    last = await chronicle.append(TOPIC, 0, messages("a", "b", "c"))

    stored = await chronicle.read(TOPIC)
    assert texts(stored) == ["a", "b", "c"]
    assert [event.position for event in stored] == [last - 2, last - 1, last]


async def test_a_batch_is_stored_whole_or_not_at_all(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("first"))

    with pytest.raises(Conflict):
        await chronicle.append(TOPIC, 0, messages("a", "b", "c"))

    assert texts(await chronicle.read(TOPIC)) == ["first"]
    assert await chronicle.head() == 1


async def test_a_large_batch_is_stored_whole(chronicle: Chronicle) -> None:
    many = messages(*(str(number) for number in range(300)))

    last = await chronicle.append(TOPIC, 0, many)

    assert last == 300
    assert texts(await chronicle.read(TOPIC)) == [str(number) for number in range(300)]


async def test_a_repeated_append_gives_its_position_again(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("a"))

    assert await chronicle.append(TOPIC, 0, messages("a")) == first
    assert await chronicle.head() == 1


async def test_a_repeated_append_is_known_after_others_have_appended(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("a"))
    batch = await chronicle.append(TOPIC, first, messages("b", "c"))
    await chronicle.append(TOPIC, batch, messages("d"))

    assert await chronicle.append(TOPIC, 0, messages("a")) == first
    assert await chronicle.append(TOPIC, first, messages("b", "c")) == batch
    assert texts(await chronicle.read(TOPIC)) == ["a", "b", "c", "d"]


async def test_a_batch_that_begins_like_a_stored_one_is_another(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("a", "b"))

    with pytest.raises(Conflict):
        await chronicle.append(TOPIC, 0, messages("a", "b", "c"))
    with pytest.raises(Conflict):
        await chronicle.append(TOPIC, 0, messages("a", "x"))


async def test_another_message_of_the_same_id_is_another(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("a"))
    same_id = Message(message("a").id, b"decided by another replica")

    with pytest.raises(Conflict):
        await chronicle.append(TOPIC, 0, [same_id])

    assert texts(await chronicle.read(TOPIC)) == ["a"]


async def test_of_concurrent_appends_at_one_position_one_is_stored(chronicle: Chronicle) -> None:
    names = [f"writer {number}" for number in range(20)]

    answers = await asyncio.gather(
        *(chronicle.append(TOPIC, 0, messages(name)) for name in names), return_exceptions=True
    )

    stored = [name for name, answer in zip(names, answers, strict=True) if answer == 1]
    assert texts(await chronicle.read(TOPIC)) == stored
    assert len(stored) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 19


async def test_one_stream_is_read_from_a_position_on(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("a"))
    await chronicle.append(OTHER_TOPIC, 0, messages("not mine"))
    second = await chronicle.append(TOPIC, first, messages("b"))
    await chronicle.append(TOPIC, second, messages("c"))

    assert texts(await chronicle.read(TOPIC, after=first)) == ["b", "c"]
    assert texts(await chronicle.read(TOPIC, after=second)) == ["c"]
    assert await chronicle.read(TOPIC, after=99) == []


async def test_a_long_stream_is_read_to_its_end(chronicle: Chronicle) -> None:
    last = await chronicle.append(TOPIC, 0, messages(*(str(n) for n in range(900))))
    await chronicle.append(TOPIC, last, messages(*(str(n) for n in range(900, 1300))))

    assert texts(await chronicle.read(TOPIC)) == [str(number) for number in range(1300)]


async def test_what_never_happened_is_empty(chronicle: Chronicle) -> None:
    assert await chronicle.read(TOPIC) == []
    assert await chronicle.last(TOPIC) is None
    assert await chronicle.get(1) is None
    assert await chronicle.head() == 0


async def test_the_last_event_of_a_stream_is_its_own(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("a"))
    await chronicle.append(TOPIC, first, messages("b"))
    await chronicle.append(OTHER_TOPIC, 0, messages("x"))

    last = await chronicle.last(TOPIC)

    assert last is not None
    assert texts([last]) == ["b"]


async def test_the_largest_message_is_stored_and_a_larger_one_refused(chronicle: Chronicle) -> None:
    largest = message("largest", size=MAX_MESSAGE_BYTES)
    await chronicle.append(TOPIC, 0, [largest])

    with pytest.raises(MessageTooLargeError, match=str(MAX_MESSAGE_BYTES + 1)):
        await chronicle.append(TOPIC, 1, [message("too large", size=MAX_MESSAGE_BYTES + 1)])

    assert [event.body for event in await chronicle.read(TOPIC)] == [largest.body]
    async with aclosing(chronicle.follow(0)) as batches:
        assert [event.body for event in await followed(batches, 1)] == [largest.body]


async def test_an_append_of_nothing_is_a_mistake(chronicle: Chronicle) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        await chronicle.append(TOPIC, 0, [])


async def test_the_identity_stays_the_same(chronicle: Chronicle) -> None:
    identity = await chronicle.identity()
    await chronicle.append(TOPIC, 0, messages("a"))

    assert await chronicle.identity() == identity
    assert abs(identity.created_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_following_gives_everything_once_and_in_order(chronicle: Chronicle) -> None:
    for number in range(30):
        await chronicle.append(TOPIC, number, messages(str(number)))

    async with aclosing(chronicle.follow(0, batch=7)) as batches:
        events = await followed(batches, 30)

    assert [event.position for event in events] == list(range(1, 31))
    assert texts(events) == [str(number) for number in range(30)]


async def test_following_goes_on_from_a_position(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("a", "b", "c"))

    async with aclosing(chronicle.follow(2)) as batches:
        assert texts(await followed(batches, 1)) == ["c"]
        await chronicle.append(TOPIC, 3, messages("d"))
        assert texts(await followed(batches, 1)) == ["d"]


async def test_a_batch_has_no_more_events_than_asked_for(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages(*(str(number) for number in range(25))))

    async with aclosing(chronicle.follow(0, batch=10)) as batches:
        sizes = [len((await anext(batches)).events) for _ in range(3)]

    assert sizes == [10, 10, 5]


async def test_the_head_tells_when_a_reader_has_caught_up(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages(*(str(number) for number in range(25))))

    async with aclosing(chronicle.follow(0, batch=10)) as batches:
        heads = [(await anext(batches)).head for _ in range(3)]

    assert heads == [25, 25, 25]


async def test_who_has_caught_up_is_told_at_once(chronicle: Chronicle) -> None:
    position = await chronicle.append(TOPIC, 0, messages("a"))

    async with aclosing(chronicle.follow(position)) as batches, asyncio.timeout(0.5):
        batch = await anext(batches)

    assert (batch.events, batch.head) == ((), position)


async def test_who_waits_is_told_again_that_nothing_happened(chronicle: Chronicle) -> None:
    async with aclosing(chronicle.follow(0)) as batches:
        await caught_up(batches)
        began, seconds = monotonic(), stopwatch()
        batch = await anext(batches)

    assert (batch.events, batch.head) == ((), 0)
    assert monotonic() - began > 0.5
    assert seconds() < 2.5


async def test_who_is_ahead_of_the_chronicle_sees_its_head(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("a"))

    async with aclosing(chronicle.follow(5)) as batches:
        assert (await anext(batches)).head == 1


async def test_one_category_can_be_followed(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("topic 1"))
    await chronicle.append(DELIVERY, 0, messages("delivery 1"))
    await chronicle.append(TOPIC, 1, messages("topic 2"))
    await chronicle.append(DELIVERY, 2, messages("delivery 2", "delivery 3"))

    async with aclosing(chronicle.follow(0, category="topic")) as batches:
        assert texts(await followed(batches, 2)) == ["topic 1", "topic 2"]
        assert (await caught_up(batches)).head == 5
        await chronicle.append(TOPIC, 3, messages("topic 3"))
        assert texts(await followed(batches, 1)) == ["topic 3"]


async def test_others_events_move_the_head_of_who_follows_one_category(
    chronicle: Chronicle,
) -> None:
    async with aclosing(chronicle.follow(0, category="topic")) as batches:
        assert (await caught_up(batches)).head == 0
        await chronicle.append(DELIVERY, 0, messages("a", "b"))
        while (batch := await caught_up(batches)).head == 0:
            pass

    assert batch.head == 2


@pytest.mark.alone
async def test_an_event_that_comes_alone_is_handed_on_at_once(chronicle: Chronicle) -> None:
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    async with aclosing(chronicle.follow(0)) as batches:
        await caught_up(batches)
        for number in range(20):
            seen = asyncio.ensure_future(followed(batches, 1))
            await chronicle.append(TOPIC, number, messages(str(number)))
            answered = loop.time()
            await seen
            waits.append(loop.time() - answered)

    assert sorted(waits)[10] < 0.02


async def test_many_follow_at_their_own_pace(chronicle: Chronicle) -> None:
    await chronicle.append(TOPIC, 0, messages("a", "b", "c", "d"))

    async with (
        aclosing(chronicle.follow(0, batch=1)) as slow,
        aclosing(chronicle.follow(0)) as fast,
    ):
        assert texts(await followed(slow, 1)) == ["a"]
        assert texts(await followed(fast, 4)) == ["a", "b", "c", "d"]
        assert texts(await followed(slow, 3)) == ["b", "c", "d"]


async def test_pages_lead_through_everything_a_category_or_one_stream(chronicle: Chronicle) -> None:
    first = await chronicle.append(TOPIC, 0, messages("a", "b"))
    await chronicle.append(DELIVERY, 0, messages("c"))
    await chronicle.append(OTHER_TOPIC, 0, messages("d"))
    await chronicle.append(TOPIC, first, messages("e"))

    assert texts(await chronicle.page(0, 3)) == ["a", "b", "c"]
    assert texts(await chronicle.page(3, 3)) == ["d", "e"]
    assert texts(await chronicle.page(1, 3, "topic")) == ["b", "d", "e"]
    assert texts(await chronicle.page(0, 2, TOPIC)) == ["a", "b"]
    assert texts(await chronicle.page(2, 2, TOPIC)) == ["e"]
    assert await chronicle.page(5, 2) == []
    assert await chronicle.page(0, 2, "access") == []
    assert await chronicle.page(0, 1) == [await chronicle.get(1)]
