"""What every Chronicle promises of messages that go to several streams at once."""

import asyncio

import pytest

from moot.contracts.envelope import MAX_MESSAGE_BYTES
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Chronicle, ConflictAmong, Message, MessageTooLargeError
from tests.support.messages import DELIVERY, OTHER_TOPIC, TOPIC, message, messages, texts

Among = list[tuple[StreamName, Message]]
NOWHERE = {TOPIC: 0, OTHER_TOPIC: 0, DELIVERY: 0}


def among(*parts: tuple[StreamName, str]) -> Among:
    return [(stream, message(text)) for stream, text in parts]


async def test_they_are_stored_side_by_side_in_their_order(chronicle: Chronicle) -> None:
    before = await chronicle.append(TOPIC, 0, messages("opened"))
    expected = {TOPIC: before, OTHER_TOPIC: 0, DELIVERY: 0}
    parts = among((TOPIC, "a"), (DELIVERY, "b"), (TOPIC, "c"), (OTHER_TOPIC, "d"))
    assert await chronicle.append_among(expected, parts) == before + 4
    assert texts(await chronicle.read(TOPIC)) == ["opened", "a", "c"]
    stored = [await chronicle.get(position) for position in range(2, 6)]
    assert texts([event for event in stored if event]) == ["a", "b", "c", "d"]


async def test_one_alone_is_an_append(chronicle: Chronicle) -> None:
    assert await chronicle.append_among({TOPIC: 0}, among((TOPIC, "a"))) == 1
    with pytest.raises(ConflictAmong):
        await chronicle.append_among({TOPIC: 0}, among((TOPIC, "b")))
    assert texts(await chronicle.read(TOPIC)) == ["a"]


@pytest.mark.parametrize("moved", [TOPIC, OTHER_TOPIC, DELIVERY], ids=lambda one: one.label[:8])
async def test_if_any_stream_has_moved_nothing_is_stored(
    chronicle: Chronicle, moved: StreamName
) -> None:
    position = await chronicle.append(moved, 0, messages("theirs"))
    parts = among((TOPIC, "a"), (OTHER_TOPIC, "b"), (DELIVERY, "c"), (TOPIC, "d"))
    with pytest.raises(ConflictAmong):
        await chronicle.append_among(NOWHERE, parts)
    assert await chronicle.head() == position
    # What was turned down holds nobody up.
    assert await chronicle.append_among({**NOWHERE, moved: position}, parts) == position + 4


async def test_what_is_stored_already_is_a_conflict(chronicle: Chronicle) -> None:
    parts = among((TOPIC, "a"), (OTHER_TOPIC, "b"))
    assert await chronicle.append_among({TOPIC: 0, OTHER_TOPIC: 0}, parts) == 2
    with pytest.raises(ConflictAmong):
        await chronicle.append_among({TOPIC: 0, OTHER_TOPIC: 0}, parts)
    assert await chronicle.head() == 2


async def test_too_large_a_message_keeps_all_of_them_out(chronicle: Chronicle) -> None:
    large = Message("large", b"x" * (MAX_MESSAGE_BYTES + 1))
    with pytest.raises(MessageTooLargeError):
        await chronicle.append_among(NOWHERE, [*among((TOPIC, "a")), (DELIVERY, large)])
    assert await chronicle.head() == 0


async def test_of_many_at_once_each_is_stored_whole_or_not_at_all(chronicle: Chronicle) -> None:
    async def attempt(number: int) -> bool:
        parts = among((TOPIC, f"a{number}"), (OTHER_TOPIC, f"b{number}"), (DELIVERY, f"c{number}"))
        try:
            await chronicle.append_among(NOWHERE, parts)
        except ConflictAmong:
            return False
        return True

    stored = await asyncio.gather(*map(attempt, range(20)))
    assert stored.count(True) == 1
    winner = stored.index(True)
    assert texts(await chronicle.read(DELIVERY)) == [f"c{winner}"]
    assert await chronicle.head() == 3


async def test_hundreds_are_stored_whole(chronicle: Chronicle) -> None:
    streams = [StreamName("topic", f"{number:032x}") for number in range(500)]
    parts = [(stream, message(f"{stream.id}{turn}")) for turn in "ab" for stream in streams]
    assert await chronicle.append_among(dict.fromkeys(streams, 0), parts) == 1000
    assert len(await chronicle.read(streams[-1])) == 2
