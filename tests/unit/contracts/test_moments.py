"""However a moment is written, it is read as pydantic reads times, in UTC."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from moot.contracts.shape import Moment

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
ANY_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)

SHAPES = st.from_regex(
    r"[0-9]{4}-(0[0-9]|1[0-3]|W1)-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
    r"([.,:][0-9]{1,7})?(Z|z|[+-][0-2][0-9]:?[0-5][0-9])?",
    fullmatch=True,
)
MANGLED = st.text("0123456789-:.,+TWZ ²", min_size=18, max_size=28)


@given(SHAPES | MANGLED | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat))
@example("2026-11-21T12:00:00Z")
@example("2026-11-21T12:00:00.123456Z")
@example("2026-11-21T12:00:00,123456Z")
@example("2026-W47-6T12:00:00Z")
@example("2026-11-21T24:00:00Z")
@example("2026-11-21T12:00:60Z")
@example("0000-11-21T12:00:00Z")
@example("0001-01-01T00:00:00+01:00")
@example("2026-11-21T12:00:00Z+1:00:00.00Z")
def test_a_text_is_read_as_pydantic_reads_it(text: str) -> None:
    found = read(MOMENT, text)
    assert found == read(ANY_TIME, text)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize("moment", [datetime(2026, 11, 21, 12, tzinfo=UTC), 1_795_262_400])
def test_what_is_no_text_is_read_too(moment: object) -> None:
    assert MOMENT.validate_python(moment) == datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-21T12:00:00Z", "2026-11-21T13:00:00+01:00"])
def test_where_types_are_strict_text_is_a_time_and_a_number_is_none(text: str) -> None:
    found = MOMENT.validate_json(f'"{text}"', strict=True)
    assert found == datetime(2026, 11, 21, 12, tzinfo=UTC)
    with pytest.raises(ValidationError, match="valid datetime"):
        MOMENT.validate_json("1795262400", strict=True)


def read(adapter: TypeAdapter[datetime], text: str) -> datetime | None:
    """Return what it makes of `text`; None when it refuses it, or it lies outside of UTC."""
    try:
        return adapter.validate_python(text).astimezone(UTC)
    except (ValidationError, OverflowError):
        return None
