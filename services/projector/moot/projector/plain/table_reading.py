"""A projection's rows as its tables have them, inside the caller's transaction."""

from collections.abc import AsyncGenerator, Callable, Collection
from operator import itemgetter
from typing import Any, cast

from moot.contracts.ids import is_hex_id
from moot.contracts.subjects import StreamName
from moot.projector.plain.chronicle_fold import CannotCompareError
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import READ_AS, Row, Table, stream_of
from moot.runtime.database import Connection

ROWS_AT_ONCE = 1000

DEAD_LETTERS = "SELECT position, subject FROM dead_letters WHERE projection = $1"

CHECKPOINT = "SELECT position FROM projector_checkpoint WHERE projection = $1"

PAGES = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint"

MOST_IN_PAGE = 32767
"""No page has a row at a higher number."""

STATEMENTS = (DEAD_LETTERS, CHECKPOINT, PAGES)


async def look_in(connection: Connection, schema: str) -> None:
    """Find tables in `schema` until the transaction's end."""
    await connection.execute("SELECT set_config('search_path', $1, true)", schema)


async def checkpoint(connection: Connection, plain: PlainProjection) -> int:
    """Return the position that the tables are at."""
    return await connection.fetchval(CHECKPOINT, plain.name) or 0


async def dead_letters(connection: Connection, plain: PlainProjection) -> dict[int, str]:
    """Return the subjects of the events that the projection has set aside, by their positions."""
    rows = await connection.fetch(DEAD_LETTERS, plain.name)
    return {row["position"]: row["subject"] for row in rows}


async def every_row(connection: Connection, plain: PlainProjection) -> AsyncGenerator[Row]:
    """Yield all rows, in any order."""
    for table in plain.tables:
        read = await _prepared(connection, table, table.everything())
        cursor = await connection.cursor(table.everything())
        while rows := await cursor.fetch(ROWS_AT_ONCE):
            for found in rows:
                yield read(found)


async def rows_of(
    connection: Connection, plain: PlainProjection, streams: Collection[StreamName]
) -> list[Row]:
    """Return the rows of some streams."""
    found: list[Row] = []
    for table in plain.tables:
        read = await _prepared(connection, table, table.of_streams())
        ids = [each.id for each in streams if _may_have_rows(table, each)]
        rows = await connection.fetch(table.of_streams(), ids)
        found += [row for row in map(read, rows) if stream_of(row) in streams]
    return found


async def rows_in_page(connection: Connection, table: Table, page: int) -> list[Row]:
    """Return the rows in one page of the table's file."""
    read = await _prepared(connection, table, table.between())
    rows = await connection.fetch(table.between(), (page, 0), (page, MOST_IN_PAGE))
    return [read(row) for row in rows]


async def pages(connection: Connection, table: Table) -> int:
    """Return how many pages the table's file has."""
    return await connection.fetchval(PAGES, table.name)


def _may_have_rows(table: Table, stream: StreamName) -> bool:
    """Whether the stream's id fits the column: those of topics and deliveries are UUIDs."""
    return table.category in (None, "access") or is_hex_id(stream.id)


async def _prepared(connection: Connection, table: Table, statement: str) -> Callable[[Any], Row]:
    """Return what makes rows of the driver's records."""
    types = {a.name: a.type.name for a in (await connection.prepare(statement)).get_attributes()}
    if set(types) != set(table.columns):
        odd = ", ".join(sorted(set(types) ^ set(table.columns)))
        raise CannotCompareError(f"table {table.name} has other columns than are known: {odd}")
    in_order = cast("Callable[[Any], tuple[object, ...]]", itemgetter(*table.columns))
    known = [(n, READ_AS.get(types[column])) for n, column in enumerate(table.columns)]
    changes = [(number, change) for number, change in known if change is not None]

    def read(record: Any) -> Row:  # noqa: ANN401 asyncpg's Record
        values = list(in_order(record))
        for number, change in changes:
            if values[number] is not None:
                values[number] = change(values[number])
        return table, tuple(values)

    return read
