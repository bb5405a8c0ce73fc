"""A table's rows in one form, whether they were folded or read, and what each row hashes to."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from hashlib import blake2b
from typing import Any, cast

from moot.contracts.subjects import Category, StreamName

Values = tuple[object, ...]
"""In the order of the table's columns: ids as 32 hex digits, arrays as tuples, JSON as canonical
text, the rest as PostgreSQL's driver gives it."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a projection. `category`: of the stream each row belongs to; None: a column."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    category: Category | None
    stream_column: str
    stream_type: str = "uuid"
    """PostgreSQL's type of `stream_column`."""
    in_index: str = ""
    """What leads the index before `stream_column`, as a condition in SQL."""

    def everything(self) -> str:
        return f"SELECT * FROM {self.name}"  # noqa: S608 names of ours, as below

    def of_streams(self) -> str:
        """Takes the ids of streams."""
        its_own = f"{self.stream_column} = ANY ($1::{self.stream_type}[])"
        found = f"{self.in_index} AND {its_own}" if self.in_index else its_own
        return f"{self.everything()} WHERE {found}"

    def between(self) -> str:
        """Takes two places in the table's file."""
        return f"{self.everything()} WHERE ctid BETWEEN $1 AND $2"

    def row(self, values: Mapping[str, object]) -> "Row":
        return self, tuple([values[column] for column in self.columns])

    def key_of(self, values: Values) -> dict[str, object]:
        return {column: values[self.columns.index(column)] for column in self.key}


Row = tuple[Table, Values]


def stream_of(row: Row) -> StreamName:
    """Return the stream of events that the row follows from."""
    table, values = row
    category = table.category
    if category is None:
        category = cast("Category", values[table.columns.index("category")])
    return StreamName(category, str(values[table.columns.index(table.stream_column)]))


def row_hash(row: Row) -> int:
    """Return a hash of 128 bits. Hashes of rows are added, so their order doesn't matter."""
    table, values = row
    return int.from_bytes(blake2b(repr((table.name, values)).encode(), digest_size=16).digest())


_DIGITS = Context(prec=5000)
"""More than a double or a number that Moot stores has."""


def canonical(document: object) -> str:
    """Write JSON so that equal documents, as `jsonb` sees them, are equal texts."""
    match document:
        case Mapping():
            of = cast("Mapping[str, object]", document)
            pairs = (f"{json.dumps(name)}:{canonical(of[name])}" for name in sorted(of))
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(canonical, cast("list[object]", document))) + "]"
        case float():
            return _number(Decimal(repr(document)))
        case Decimal():
            return _number(document)
        case int() if not isinstance(document, bool):
            return _number(Decimal(document))
        case _:
            return json.dumps(document, ensure_ascii=False)


def _number(number: Decimal) -> str:
    return str(_DIGITS.normalize(number)) if number else "0"


def _from_jsonb(text: str) -> str:
    return canonical(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def _hex(found: Any) -> str:  # noqa: ANN401 the driver's own kind of UUID
    return found.hex


READ_AS: Mapping[str, Callable[[Any], object]] = {
    "uuid": _hex,
    "jsonb": _from_jsonb,
    "text[]": tuple,
}
"""What becomes of the driver's values, by PostgreSQL's type; others are taken as they are."""
