"""What the API measures of its requests and of its streams, and of announcements that wait."""

import asyncio
from typing import Final

import structlog

from moot.api.queries.unsettled_announcements import longest_waited
from moot.runtime.database import Pool, is_outage
from moot.runtime.metrics import SECONDS, Gauge, Histogram

LOOK_SECONDS: Final = 5.0

DURATION = Histogram(
    "http.server.request.duration",
    "From a request to the end of its answer; of a stream, to its beginning",
    "http.request.method",
    "http.route",
    "http.response.status_code",
)
ACTIVE = Gauge("http.server.active_requests", "{request}", "Requests without an answer yet")
STREAMS = Gauge("moot.streams.open", "{stream}", "Live streams, by what they tell of", "moot.of")
_waiting = Gauge(
    "moot.delivery.waiting.longest",
    SECONDS,
    "How long the oldest announcement waits that is neither delivered nor given up",
)

log = structlog.stdlib.get_logger()


async def watch_deliveries(pool: Pool) -> None:
    """Look for the oldest announcement, for ever. Without PostgreSQL there is nothing to see."""
    while True:
        try:
            _waiting.set((await longest_waited(pool)).total_seconds())
        except Exception as error:
            if not is_outage(error):
                raise
            log.debug("deliveries_unknown", reason=str(error))
        await asyncio.sleep(LOOK_SECONDS)
