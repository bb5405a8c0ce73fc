"""What a receiver's Retry-After asks for."""

import pytest

from moot.announcer.answers import retry_after_seconds
from tests.support.topics import NOON


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("0", 0.0),
        ("Fri, 21 Nov 2036 12:00:30 GMT", 30.0),
        ("Fri, 21 Nov 2036 11:00:00 GMT", 0.0),
        ("9" * 400, 1e9),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("1e400", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOON) == seconds
