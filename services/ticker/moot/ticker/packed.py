"""Timetables in memory: a hundred bytes each, since a hundred thousand of them may wait.

A topic's is packed into fields of fixed size; any other is kept as the JSON of the table.
"""

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, Final

from pydantic_core import from_json as parse

from moot.contracts.debates import Schedule, Stage
from moot.domain.deadlines import Timetable, TopicTimetable, from_json, next_deadline, to_json

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STAGES: Final[tuple[Stage, ...]] = tuple(Stage)
_NUMBERS: Final[dict[str, int]] = {stage: number for number, stage in enumerate(_STAGES)}
_NEVER: Final = -(2**63)
_HEAD: Final = Struct("<qqB")
"""When its deadline is due (or never), the position, the stage; `_OTHER` is no topic's."""
_TOPIC: Final = Struct("<qqBHHqqqqqq")
_OTHER: Final = 255

Packed = bytes


def micros(moment: datetime) -> int:
    """Return the microseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(since: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since)


def pack(timetable: Timetable, position: int) -> Packed:
    deadline = next_deadline(timetable)
    due_at = _NEVER if deadline is None else micros(deadline.due_at)
    if not isinstance(timetable, TopicTimetable):
        return _HEAD.pack(due_at, position, _OTHER) + to_json(timetable).encode()
    schedule = timetable.schedule
    return _TOPIC.pack(
        due_at,
        position,
        _NUMBERS[timetable.stage],
        timetable.rounds,
        timetable.round_no,
        micros(schedule.signup_open_at),
        micros(schedule.signup_close_at),
        micros(schedule.debate_start_at),
        micros(schedule.debate_end_at),
        _or_never(schedule.verdict_due_at),
        _or_never(timetable.verdict_due_at),
    )


def unpack(packed: Packed) -> Timetable:
    if packed[16] == _OTHER:
        return from_json(packed[_HEAD.size :])
    fields: tuple[int, ...] = _TOPIC.unpack(packed)
    _, _, stage, rounds, round_no, opens, closes, starts, ends, judged, overdue = fields
    return TopicTimetable(
        stage=_STAGES[stage],
        # It was checked when it became an event.
        schedule=Schedule.model_construct(
            signup_open_at=moment(opens),
            signup_close_at=moment(closes),
            debate_start_at=moment(starts),
            debate_end_at=moment(ends),
            verdict_due_at=_or_none(judged),
        ),
        rounds=rounds,
        round_no=round_no,
        verdict_due_at=_or_none(overdue),
    )


def pack_row(timetable: str, due_at: datetime | None, position: int) -> Packed:
    """Pack a row of the projection's table: as `pack` does, in a quarter of the time.

    It was written by us, so nothing is checked; `due_at` came of `next_deadline` there.
    """
    document: dict[str, Any] = parse(timetable)
    due = _or_never(due_at)
    if document["kind"] != "topic":
        return _HEAD.pack(due, position, _OTHER) + timetable.encode()
    schedule: dict[str, str | None] = document["schedule"]
    return _TOPIC.pack(
        due,
        position,
        _NUMBERS[document["stage"]],
        document["rounds"],
        document["round_no"],
        _read(schedule["signup_open_at"]),
        _read(schedule["signup_close_at"]),
        _read(schedule["debate_start_at"]),
        _read(schedule["debate_end_at"]),
        _read(schedule["verdict_due_at"]),
        _read(document["verdict_due_at"]),
    )


def due_of(packed: Packed) -> int | None:
    """Return when its deadline is due, in microseconds since 1970; None when none is waited for."""
    due_at: int = _HEAD.unpack_from(packed)[0]
    return None if due_at == _NEVER else due_at


def position_of(packed: Packed) -> int:
    position: int = _HEAD.unpack_from(packed)[1]
    return position


def _or_never(at: datetime | None) -> int:
    return _NEVER if at is None else micros(at)


def _or_none(since: int) -> datetime | None:
    return None if since == _NEVER else moment(since)


def _read(at: str | None) -> int:
    return _NEVER if at is None else micros(datetime.fromisoformat(at))
