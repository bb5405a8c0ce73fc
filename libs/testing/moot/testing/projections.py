"""How far the read models are, as the API says it: it holds a read back until they are there.

No route waits for `agent_keys_v1`: a key that the API has issued works at once.
"""

import asyncio
from datetime import timedelta
from math import ceil
from typing import Final

from moot.client import MootClient, ProblemError
from moot.client.problems import refusal_in
from moot.testing.failures import MootTestingError, NeverCameError

LONGEST_WAIT_SECONDS = 30
"""How long the API holds a read back at most."""
ANSWERS_WITHIN = timedelta(seconds=15)

NO_TOPIC: Final = "0" * 32

READS: Final[dict[str, tuple[str, str | None]]] = {
    "debates_v1": ("/api/topics", None),
    "deadlines_v1": ("/api/deadlines", None),
    "announcements_v1": ("/api/announcements", NO_TOPIC),
    "attempts_v1": ("/api/announcements", NO_TOPIC),
    "publishing_v1": ("/api/admin/publishers", None),
}
"""For each projection a read that waits for it, perhaps for others too, and of which topic."""


async def wait_for_projection(
    admin: MootClient, position: int, projection: str | None, within: timedelta
) -> None:
    """Return as soon as what is at `position` can be read: in one projection, or in all of them.

    Raises NeverCameError, which says how far it came, and MootTestingError for a name that isn't
    one of `READS`.
    """
    if projection is not None and projection not in READS:
        raise MootTestingError(f"no reads wait for {projection!r}: there are {', '.join(READS)}")
    reads = list(dict.fromkeys(READS.values())) if projection is None else [READS[projection]]
    await asyncio.gather(
        *(_wait(admin, path, topic_id, position, within) for path, topic_id in reads)
    )


async def _wait(
    admin: MootClient, path: str, topic_id: str | None, position: int, within: timedelta
) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within.total_seconds()
    while True:
        remaining = max(give_up_at - loop.time(), 0.0)
        seconds = min(ceil(remaining), LONGEST_WAIT_SECONDS)
        answer = await admin.request(
            "GET",
            path,
            query={"limit": 1, "topic": topic_id},
            headers={"Chronicle-Min-Position": str(position), "Prefer": f"wait={seconds}"},
            within=timedelta(seconds=seconds) + ANSWERS_WITHIN,
        )
        if answer.is_success:
            return
        refusal = refusal_in(answer)
        if not isinstance(refusal, ProblemError):
            raise refusal
        if refusal.code == "topic-not-found":
            return  # which is known only once everything up to there has been read
        if refusal.code != "projection-behind":
            raise refusal
        if loop.time() >= give_up_at:
            waited = f"waited {within.total_seconds():g} s for position {position} in {path}"
            raise NeverCameError(f"{waited}: {refusal.detail}")
