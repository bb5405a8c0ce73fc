"""Who is looked at next: each lane by due time, and neither lane shuts out the other."""

from moot.ticker.board import Due
from moot.ticker.turns import BACKLOG, Turn, Turns

NOW = 1_000_000_000
LONG_AGO = NOW - 10 * BACKLOG


def turn(due_at: int, label: str = "topic/1") -> Turn:
    return Turn(Due(due_at, label))


def taken(turns: Turns, now: int = NOW) -> list[Due]:
    found: list[Due] = []
    while (turn := turns.take(now)) is not None:
        found.append(turn.due)
    return found


def test_the_earliest_due_goes_first_whatever_came_first() -> None:
    turns = Turns()
    for due_at in (NOW - 1, NOW - 3, NOW - 2):
        turns.put(turn(due_at), NOW)
    assert [due.due_at for due in taken(turns)] == [NOW - 3, NOW - 2, NOW - 1]


def test_what_was_proposed_first_goes_first_when_all_is_due_at_one_instant() -> None:
    turns = Turns()
    for label in ("topic/3", "topic/1", "topic/2"):
        turns.put(turn(NOW, label), NOW)
    assert [due.label for due in taken(turns)] == ["topic/1", "topic/2", "topic/3"]


def test_a_backlog_delays_what_is_on_time_by_one_turn_and_goes_on_itself() -> None:
    turns = Turns()
    for late in range(100):
        turns.put(turn(LONG_AGO + late), NOW)
    for late in range(3):
        turns.put(turn(NOW + late), NOW)
    on_time = [due.due_at >= NOW for due in taken(turns)]
    assert on_time[:7] == [False, True, False, True, False, True, False]
    assert len(on_time) == 103


def test_what_is_put_off_waits_for_its_time() -> None:
    turns = Turns()
    turns.put_off(turn(NOW - 5), NOW + 10)
    assert (turns.next_at(), taken(turns, NOW + 9)) == (NOW + 10, [])
    assert (len(taken(turns, NOW + 10)), turns.next_at()) == (1, None)
