"""Cursors: opaque, signed, and of one list each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.api.cursors import Cursors
from moot.api.problems import Problem

CURSORS = Cursors("a secret key, at least this long")


@given(of=st.text(), position=st.integers(min_value=0, max_value=2**63 - 1))
def test_a_cursor_is_read_as_it_was_written(of: str, position: int) -> None:
    assert CURSORS.read(of, CURSORS.write(of, position)) == position


@given(cursor=st.text())
def test_any_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(Problem, match="invalid-cursor"):
        CURSORS.read("topics", cursor)


def test_another_list_and_another_key_are_refused() -> None:
    cursor = CURSORS.write("topics", 7)
    with pytest.raises(Problem, match="invalid-cursor"):
        CURSORS.read("arguments", cursor)
    with pytest.raises(Problem, match="invalid-cursor"):
        Cursors("another secret key of that length").read("topics", cursor)
