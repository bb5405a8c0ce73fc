"""What the rows of one read have in common: how far their projection was when they were read.

Each read is one statement, so its rows and its checkpoint are of one snapshot. It yields at least
one row; `as_of` is the position of the least advanced projection that it reads, 0 for none yet;
`parked` that of the first event that such a projection has set aside of what is read, else null.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from moot.contracts.debates import Caller, Visibility
from moot.domain.access_rules import may_read
from moot.runtime.database import Pool


class Row(Protocol):
    def __getitem__(self, column: str, /) -> Any: ...  # noqa: ANN401 PostgreSQL's types


DEBATES = "debates_v1"
ANNOUNCEMENTS = "announcements_v1"
ATTEMPTS = "attempts_v1"

# An enum is called for a member in ten times as long.
VISIBILITIES: Final = {visibility.value: visibility for visibility in Visibility}

LEAST = "SELECT position FROM projector_checkpoint WHERE projection = ANY ($1::text[])"


async def least_position(pool: Pool, projections: Sequence[str]) -> int:
    """Return how far the least advanced of them is, 0 where one has no checkpoint yet."""
    rows = await pool.fetch(LEAST, projections)
    return min((row["position"] for row in rows), default=0) if len(rows) == len(projections) else 0


def topic_readable(rows: Sequence[Row], caller: Caller) -> bool:
    """Whether the topic exists, as far as the caller is told.

    The rows have its `creator`, `visibility` and `invited_agents`.
    """
    first = rows[0]
    return first["creator"] is not None and may_read(
        VISIBILITIES[first["visibility"]], first["creator"], first["invited_agents"], caller
    )
