"""What came of comparing tables with what they should hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moot.projector.plain.table import Row, Values, stream_of


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that should be otherwise: missing (`found` is None), too many, or with other values."""

    table: str
    stream: str
    key: Mapping[str, object]
    expected: Mapping[str, object] | None
    found: Mapping[str, object] | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that differ, where both rows are there."""
        if self.expected is None or self.found is None:
            return ()
        return tuple(c for c, value in self.expected.items() if value != self.found[c])

    @property
    def told(self) -> str:
        """Return what is wrong with which row, without its content."""
        if self.found is None:
            what = "is missing"
        elif self.expected is None:
            what = "should not be there"
        else:
            what = f"differs in {', '.join(self.columns)}"
        key = ", ".join(f"{name} {value}" for name, value in self.key.items())
        return f"{self.table} ({key}) {what}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared at `position`: `rows` are those that were found.

    `hash` is that of the rows found, `expected_hash` of those that should be there. Where too many
    buckets differ, `differences` are those of some, and `not_looked_at` counts the others.
    """

    projection: str
    position: int
    streams: int | None
    """How many, in a sample; None: all there are."""
    rows: int
    hash: str
    expected_hash: str
    differences: tuple[Difference, ...] = ()
    not_looked_at: int = 0

    @property
    def equal(self) -> bool:
        return self.hash == self.expected_hash and not self.differences


def differing(expected: Sequence[Row], found: Sequence[Row]) -> tuple[Difference, ...]:
    """Return every row that only one side has, and those that differ."""
    should_be = {_place(row): row for row in expected}
    there = {_place(row): row for row in found}
    places = [*should_be, *(place for place in there if place not in should_be)]
    return tuple(
        _difference(should_be.get(place), there.get(place))
        for place in places
        if should_be.get(place) != there.get(place)
    )


def _place(row: Row) -> tuple[str, Values]:
    table, values = row
    return table.name, tuple(table.key_of(values).values())


def _difference(expected: Row | None, found: Row | None) -> Difference:
    row = expected or found
    assert row is not None  # noqa: S101 there is no place without a row
    table, values = row
    return Difference(
        table=table.name,
        stream=stream_of(row).label,
        key=table.key_of(values),
        expected=_named(expected),
        found=_named(found),
    )


def _named(row: Row | None) -> Mapping[str, object] | None:
    return None if row is None else dict(zip(row[0].columns, row[1], strict=True))
