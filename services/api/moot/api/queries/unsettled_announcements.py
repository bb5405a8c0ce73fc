"""Which announcement, of those that are neither delivered nor given up, was asked for first."""

from datetime import timedelta

from moot.runtime.database import Pool

# One look into the index for each of the two.
OLDEST = """
SELECT clock_timestamp() - min(requested_at) AS waited
FROM (
    (SELECT requested_at FROM announcements WHERE status = 'requested'
        ORDER BY requested_position LIMIT 1)
    UNION ALL
    (SELECT requested_at FROM announcements WHERE status = 'retrying'
        ORDER BY requested_position LIMIT 1)
) AS oldest
"""

STATEMENTS = (OLDEST,)


async def longest_waited(pool: Pool) -> timedelta:
    """Return how long it has waited, zero where none waits. Raises what asyncpg raises."""
    return await pool.fetchval(OLDEST) or timedelta(0)
