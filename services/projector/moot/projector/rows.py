"""Many rows in one statement: each parameter is a column, which the statement unnests."""

from collections.abc import Sequence

from moot.runtime.database import Connection

Row = tuple[object, ...]


async def write(connection: Connection, statement: str, rows: Sequence[Row]) -> int:
    """Run `statement` with a parameter for each column of `rows`; return how many it wrote."""
    if not rows:
        return 0
    columns = [list(column) for column in zip(*rows, strict=True)]
    done = await connection.execute(statement, *columns)
    return int(done.rpartition(" ")[2])


def array_literal(tokens: Sequence[str]) -> str:
    """Write safe tokens as PostgreSQL's `{a,b}`: unnest would flatten an array of arrays."""
    return "{" + ",".join(tokens) + "}"
