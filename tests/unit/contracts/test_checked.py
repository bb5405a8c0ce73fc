"""A shape made of what was checked before is as one that is checked now."""

from datetime import UTC, datetime

from moot.contracts.debates import Camp, CampSeat, Stage
from moot.contracts.shape import checked
from moot.contracts.views import RoundView

NOON = datetime(2036, 11, 21, 12, tzinfo=UTC)
FIELDS = {"round_no": 1, "opened_at": NOON, "closes_at": NOON}


def test_it_is_equal_and_written_alike() -> None:
    made, validated = checked(RoundView, dict(FIELDS)), RoundView.model_validate(FIELDS)

    assert made == validated
    assert made.model_dump_json(exclude_unset=True) == validated.model_dump_json()
    assert made.model_fields_set == validated.model_fields_set


def test_a_changed_copy_changes_nothing_else() -> None:
    made, other = checked(RoundView, dict(FIELDS)), checked(RoundView, dict(FIELDS))
    copy = made.model_copy(update={"round_no": 2, "unheard_of": 3})

    assert (copy.round_no, made.round_no) == (2, 1)
    assert other.model_fields_set == made.model_fields_set == set(FIELDS)


def test_words_are_written_as_their_value() -> None:
    seat = checked(CampSeat, {"camp": Camp.PRO, "agent_id": "ann"})

    assert seat.model_dump_json() == '{"camp":"pro","agent_id":"ann"}'
    assert [stage.value for stage in Stage] == [str(stage) for stage in Stage]
    assert Stage(Stage.DEBATING.value) is Stage.DEBATING
