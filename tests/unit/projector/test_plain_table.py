"""Rows have one form, whoever tells them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from moot.contracts.subjects import StreamName
from moot.projector.plain.projections import PLAIN
from moot.projector.plain.table import canonical, row_hash, stream_of


@pytest.mark.parametrize(
    ("written", "otherwise"),
    [
        ('{"a": 1, "b": [1.0, 10]}', '{"b": [1, 1e1], "a": 1.000}'),
        ("-0.0", "0"),
        ("1e308", "1" + "0" * 308),
        ('"\\u00fc"', '"ü"'),
        ("0.1", "1e-1"),
    ],
)
def test_equal_documents_are_equal_texts(written: str, otherwise: str) -> None:
    assert as_jsonb(written) == as_jsonb(otherwise) == canonical(json.loads(written))


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (1, "1"),
        (True, 1),
        (False, None),
        (2**70, 2**70 + 1),
        (0.1, 0.1 + 2**-56),
        ([1, [2]], [[1], 2]),
        ({"a": "b:c"}, {"a:b": "c"}),
        ({}, []),
    ],
)
def test_other_documents_are_other_texts(one: Any, another: Any) -> None:  # noqa: ANN401 any JSON
    assert canonical(one) != canonical(another)
    assert as_jsonb(json.dumps(one)) == canonical(one)


def as_jsonb(text: str) -> str:
    return canonical(json.loads(text, parse_int=Decimal, parse_float=Decimal))


def test_a_row_is_of_its_stream_and_hashes_with_its_table() -> None:
    (deadlines,) = PLAIN["deadlines_v1"].tables
    values = dict.fromkeys(deadlines.columns) | {"category": "delivery", "stream_id": "q"}
    assert stream_of(deadlines.row(values)) == StreamName("delivery", "q")
    rounds, camps = (
        next(table for table in PLAIN["debates_v1"].tables if table.name == name)
        for name in ("rounds", "camps")
    )
    same = ("t", 0, None, None, 1)
    assert row_hash((rounds, same)) != row_hash((camps, same))
