"""Dispatching a command, on every Chronicle."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from moot.contracts.envelope import Envelope
from moot.contracts.ids import derived_id
from moot.runtime.chronicle import Chronicle, Message
from moot.runtime.deciding import PreconditionFailed
from moot.runtime.dispatch import (
    CommandIdReused,
    Dispatcher,
    Folded,
    Outcome,
    UnreadableStreamError,
    command_hash,
)
from tests.support import room
from tests.support.room import NOW, SEATS, asked, enter

PARLOUR = room.room("parlour")


def dispatcher(
    chronicle: Chronicle, *, cache_size: int = 100, ahead: timedelta = timedelta()
) -> Dispatcher:
    return Dispatcher(chronicle, source="moot/test", now=lambda: NOW + ahead, cache_size=cache_size)


@pytest.fixture
def door(chronicle: Chronicle) -> Dispatcher:
    return dispatcher(chronicle)


@pytest.fixture
def other_door(chronicle: Chronicle) -> Dispatcher:
    """Another process's: it has its own cache."""
    return dispatcher(chronicle)


async def guests(chronicle: Chronicle, name: str = "parlour") -> tuple[str, ...]:
    return (await dispatcher(chronicle).load(room, name)).state


async def test_an_accepted_command_is_recorded(door: Dispatcher, chronicle: Chronicle) -> None:
    outcome = await door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    assert isinstance(outcome, Outcome)
    assert (outcome.position, outcome.state, outcome.replayed) == (1, ("ada",), False)
    [stored] = await chronicle.read(PARLOUR)
    [recorded] = outcome.recorded
    assert Envelope.from_bytes(PARLOUR, stored.body) == recorded.envelope
    assert stored.id == recorded.envelope.id == derived_id("c1", "delivery/parlour", "0")


async def test_an_event_says_where_it_comes_from(door: Dispatcher) -> None:
    outcome = await door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    assert isinstance(outcome, Outcome)
    envelope = outcome.recorded[0].envelope
    assert (envelope.source, envelope.time) == ("moot/test", NOW)
    cause = envelope.cause
    assert (cause.command_id, cause.causation_id, cause.correlation_id) == ("c1", "c1", "evening")
    assert cause.auth_id == "agent:ada"
    assert cause.command_hash == command_hash(enter("ada"))
    assert cause.traceparent == asked("c1").traceparent


async def test_what_answers_an_event_names_it(door: Dispatcher) -> None:
    context = replace(asked("c1"), causation_id="the-event")

    outcome = await door.dispatch(room, "parlour", enter("ada"), context)

    assert isinstance(outcome, Outcome)
    assert outcome.recorded[0].envelope.cause.causation_id == "the-event"


async def test_several_events_of_a_command_are_recorded_together(door: Dispatcher) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    outcome = await door.dispatch(room, "parlour", enter("bob", "cat", "dan"), asked("c2"))

    assert isinstance(outcome, Outcome)
    assert [recorded.position for recorded in outcome.recorded] == [2, 3, 4]
    assert outcome.position == 4
    assert outcome.state == ("ada", "bob", "cat", "dan")


async def test_an_obeyed_command_records_nothing(door: Dispatcher, chronicle: Chronicle) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    outcome = await door.dispatch(room, "parlour", enter("ada"), asked("c2"))

    assert outcome == Outcome(1, ("ada",), (), replayed=False)
    assert await chronicle.head() == 1


async def test_a_refusal_is_given_as_the_decider_gave_it(
    door: Dispatcher, chronicle: Chronicle
) -> None:
    crowd = enter(*(f"guest {number}" for number in range(SEATS + 1)))

    assert await door.dispatch(room, "parlour", crowd, asked("c1")) == room.Full()
    assert await chronicle.head() == 0


async def test_a_repeated_command_gets_its_first_answer(
    door: Dispatcher, other_door: Dispatcher, chronicle: Chronicle
) -> None:
    first = await door.dispatch(room, "parlour", enter("ada", "bob"), asked("c1"))
    await door.dispatch(room, "parlour", enter("cat"), asked("c2"))

    assert isinstance(first, Outcome)
    for somebody in (door, other_door):
        again = await somebody.dispatch(room, "parlour", enter("ada", "bob"), asked("c1"))
        assert isinstance(again, Outcome)
        assert again.replayed
        assert (again.position, again.state) == (2, ("ada", "bob"))
        assert [r.envelope for r in again.recorded] == [r.envelope for r in first.recorded]
    assert await chronicle.head() == 3


async def test_a_command_id_is_refused_for_another_command(
    door: Dispatcher, other_door: Dispatcher
) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    for somebody in (door, other_door):
        answer = await somebody.dispatch(room, "parlour", enter("bob"), asked("c1"))
        assert answer == CommandIdReused("command-id-reused")


async def test_the_same_command_id_means_something_else_elsewhere(door: Dispatcher) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    outcome = await door.dispatch(room, "library", enter("bob"), asked("c1"))

    assert isinstance(outcome, Outcome)
    assert outcome.state == ("bob",)


async def test_an_accepting_decision_on_an_old_state_is_made_again(
    door: Dispatcher, other_door: Dispatcher
) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    await other_door.dispatch(room, "parlour", enter("bob"), asked("c2"))

    outcome = await door.dispatch(room, "parlour", enter("cat"), asked("c3"))

    assert isinstance(outcome, Outcome)
    assert (outcome.position, outcome.state) == (3, ("ada", "bob", "cat"))


async def test_an_obeyed_command_on_an_old_state_answers_from_the_newest(
    door: Dispatcher, other_door: Dispatcher
) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    await other_door.dispatch(room, "parlour", enter("bob"), asked("c2"))

    outcome = await door.dispatch(room, "parlour", enter("ada"), asked("c3"))

    assert outcome == Outcome(2, ("ada", "bob"), (), replayed=False)


async def test_a_refusal_on_an_old_state_is_decided_again(chronicle: Chronicle) -> None:
    here, there = dispatcher(chronicle), dispatcher(chronicle)
    crowd = enter(*(f"guest {number}" for number in range(SEATS)))
    await here.load(room, "parlour")
    await there.dispatch(room, "parlour", crowd, asked("c1"))

    assert isinstance(await here.dispatch(room, "parlour", crowd, asked("c2")), Outcome)
    assert await here.dispatch(room, "parlour", enter("one more"), asked("c3")) == room.Full()


async def test_two_processes_that_decide_one_command_record_it_once(chronicle: Chronicle) -> None:
    doors = [dispatcher(chronicle, ahead=timedelta(seconds=number)) for number in range(5)]

    answers = await asyncio.gather(
        *(door.dispatch(room, "parlour", enter("ada", "bob"), asked("c1")) for door in doors)
    )

    outcomes = [answer for answer in answers if isinstance(answer, Outcome)]
    assert len({outcome.recorded[0].envelope.time for outcome in outcomes}) == 1
    assert [(o.position, o.state) for o in outcomes] == [(2, ("ada", "bob"))] * 5
    assert await chronicle.head() == 2


async def test_no_update_of_concurrent_writers_is_lost(chronicle: Chronicle) -> None:
    doors = [dispatcher(chronicle) for _ in range(4)]
    names = [f"guest {number}" for number in range(SEATS + 5)]

    answers = await asyncio.gather(
        *(
            doors[number % 4].dispatch(room, "parlour", enter(name), asked(f"c{number}"))
            for number, name in enumerate(names)
        )
    )

    entered = [n for n, answer in zip(names, answers, strict=True) if isinstance(answer, Outcome)]
    assert len(entered) == SEATS
    assert sorted(await guests(chronicle)) == sorted(entered)
    assert answers.count(room.Full()) == 5


async def test_a_stream_can_be_loaded_as_it_was(door: Dispatcher) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    await door.dispatch(room, "library", enter("bob"), asked("c2"))
    await door.dispatch(room, "parlour", enter("cat"), asked("c3"))

    assert await door.load(room, "parlour") == Folded(("ada", "cat"), 3)
    assert await door.load(room, "parlour", at=2) == Folded(("ada",), 1)
    assert await door.load(room, "attic") == Folded((), 0)


async def test_loading_sees_what_others_recorded(door: Dispatcher, other_door: Dispatcher) -> None:
    await door.load(room, "parlour")
    await other_door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    assert await door.load(room, "parlour") == Folded(("ada",), 1)


async def test_a_command_for_another_state_is_refused_whoever_was_first(
    door: Dispatcher, other_door: Dispatcher, chronicle: Chronicle
) -> None:
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    await other_door.dispatch(room, "parlour", enter("bob"), asked("c2"))

    # This one doesn't know of the second event, until it can't append.
    late = await door.dispatch(
        room, "parlour", enter("cat"), asked("c3"), only_if=lambda known: known.position == 1
    )
    in_time = await door.dispatch(
        room, "parlour", enter("cat"), asked("c4"), only_if=lambda known: known.position == 2
    )

    assert late == PreconditionFailed()
    assert isinstance(in_time, Outcome)
    assert await chronicle.head() == 3


async def test_few_states_are_kept_and_all_are_right(chronicle: Chronicle) -> None:
    door = dispatcher(chronicle, cache_size=2)
    for number in range(9):
        name = f"room-{number % 3}"
        await door.dispatch(room, name, enter(f"guest {number}"), asked(f"c{number}"))

    assert await guests(chronicle, "room-0") == ("guest 0", "guest 3", "guest 6")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not JSON", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"id": "x"}', "is missing"),
        (
            b'{"id":"x","source":"s","time":"2026-01-01T00:00:00Z","type":"moot.new.v9","data":{}}',
            "moot.new.v9",
        ),
    ],
)
async def test_nothing_is_decided_on_a_stream_that_cannot_be_read(
    chronicle: Chronicle, body: bytes, reason: str
) -> None:
    door = dispatcher(chronicle)
    await door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    await chronicle.append(PARLOUR, 1, [Message("strange", body)])

    for somebody in (door, dispatcher(chronicle)):
        with pytest.raises(UnreadableStreamError, match=reason):
            await somebody.dispatch(room, "parlour", enter("bob"), asked("c2"))
    assert await chronicle.head() == 2
