"""What dispatching costs, and what it does when answers are lost or the Chronicle is another."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import ChronicleUnavailableError, Conflict, Message, Stored
from moot.runtime.dispatch import MAX_TRIES, Dispatcher, Outcome, command_hash
from moot.runtime.memory import InMemoryChronicle
from tests.support import room
from tests.support.room import NOW, Enter, asked, enter


class WatchedChronicle(InMemoryChronicle):
    """Counts questions; may be crowded, and may reconnect to another Chronicle."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.session = 1
        self.crowded = False

    @property
    def sessions(self) -> int:
        return self.session

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        self.asked.append("append")
        if self.crowded:
            raise Conflict(stream, expected, expected + 1)
        return await super().append(stream, expected, messages)

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        self.asked.append("read")
        return await super().read(stream, after)

    async def last(self, stream: StreamName) -> Stored | None:
        self.asked.append("last")
        return await super().last(stream)


@dataclass
class Case:
    chronicle: WatchedChronicle
    door: Dispatcher


@pytest.fixture
def case() -> Case:
    chronicle = WatchedChronicle()
    seconds = itertools.count()
    return Case(
        chronicle,
        Dispatcher(
            chronicle, source="moot/test", now=lambda: NOW + timedelta(seconds=next(seconds))
        ),
    )


async def test_on_a_known_state_an_accepted_command_is_one_append(case: Case) -> None:
    await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    case.chronicle.asked.clear()

    await case.door.dispatch(room, "parlour", enter("bob"), asked("c2"))

    assert case.chronicle.asked == ["append"]


async def test_a_refusal_asks_the_leader_whether_the_state_is_the_newest(case: Case) -> None:
    crowd = enter(*(f"guest {number}" for number in range(room.SEATS)))
    await case.door.dispatch(room, "parlour", crowd, asked("c1"))
    case.chronicle.asked.clear()

    assert await case.door.dispatch(room, "parlour", enter("ada"), asked("c2")) == room.Full()

    assert case.chronicle.asked == ["last"]


async def test_after_a_lost_answer_the_same_command_finds_its_events(case: Case) -> None:
    case.chronicle.lose_answers = 1
    with pytest.raises(ChronicleUnavailableError):
        await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    again = await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    assert isinstance(again, Outcome)
    assert again.replayed
    assert again.state == ("ada",)
    assert await case.chronicle.head() == 1


async def test_after_a_lost_answer_other_commands_go_on(case: Case) -> None:
    case.chronicle.lose_answers = 1
    with pytest.raises(ChronicleUnavailableError):
        await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    outcome = await case.door.dispatch(room, "parlour", enter("bob"), asked("c2"))

    assert isinstance(outcome, Outcome)
    assert outcome.state == ("ada", "bob")


async def test_who_is_never_first_gives_up(case: Case) -> None:
    case.chronicle.crowded = True

    with pytest.raises(ChronicleUnavailableError, match="others were first"):
        await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))

    assert case.chronicle.asked.count("append") == MAX_TRIES


async def test_a_reconnect_drops_what_was_known(case: Case) -> None:
    await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    case.chronicle.session += 1
    case.chronicle.asked.clear()

    await case.door.dispatch(room, "parlour", enter("bob"), asked("c2"))

    assert case.chronicle.asked == ["read", "append"]


@pytest.mark.parametrize("guest", ["bob", "ada"])
async def test_a_chronicle_that_has_less_than_was_read_is_read_anew(case: Case, guest: str) -> None:
    await case.door.dispatch(room, "attic", enter("cat"), asked("c0"))
    await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    WatchedChronicle.__init__(case.chronicle)

    outcome = await case.door.dispatch(room, "parlour", enter(guest), asked("c2"))
    elsewhere = await case.door.load(room, "attic")

    assert isinstance(outcome, Outcome)
    assert (outcome.position, outcome.state) == (1, (guest,))
    assert elsewhere.state == ()


async def test_a_chronicle_that_has_another_event_at_the_same_place_is_read_anew(
    case: Case,
) -> None:
    await case.door.dispatch(room, "parlour", enter("ada"), asked("c1"))
    WatchedChronicle.__init__(case.chronicle)
    elsewhere = Dispatcher(case.chronicle, source="moot/test", now=lambda: NOW)
    await elsewhere.dispatch(room, "parlour", enter("bob"), asked("c1"))

    outcome = await case.door.dispatch(room, "parlour", enter("ada"), asked("c2"))

    assert isinstance(outcome, Outcome)
    assert (outcome.position, outcome.state) == (2, ("bob", "ada"))


def test_a_hash_is_of_what_is_asked_for() -> None:
    assert command_hash(enter("ada")) == command_hash(Enter(guests=("ada",)))
    assert command_hash(enter("ada")) != command_hash(enter("bob"))
    assert command_hash(enter("ada")) != command_hash(Enter(guests=("ada",), wearing="no hat"))


def test_a_new_field_with_a_default_changes_no_hash() -> None:
    assert command_hash(enter("ada")) == command_hash(
        Enter.model_validate({"guests": ["ada"], "wearing": "a hat"})
    )
