"""What `freshness` is compared with: a push consumer, a commit for each event. Its own process."""

import asyncio
import os

import asyncpg
import uvloop
from nats.aio.msg import Msg

from moot.contracts.subjects import CHRONICLE
from moot.projector.debates.projection import DEBATES
from moot.runtime.database import PROGRESS_CHANNEL
from moot.runtime.decoding import decoded
from moot.runtime.jetstream_api import delivered
from moot.runtime.lifecycle import collect_rarely
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.nats_frames import frame_of

MOVE = """
WITH moved AS (
    INSERT INTO projector_checkpoint (projection, position) VALUES ($1, $2)
    ON CONFLICT (projection) DO UPDATE SET position = excluded.position RETURNING position
)
SELECT pg_notify($3, $1 || ':' || position) FROM moved
"""


async def main() -> None:
    nats = NatsConnection()
    await nats.open(os.environ["NATS_URL"], name="naive")
    database = await asyncpg.connect(
        os.environ["DATABASE_URL"], server_settings={"search_path": f"ops_{DEBATES.name}_1"}
    )

    async def receive(message: Msg) -> None:
        stored, _, _ = delivered(frame_of(message))
        async with database.transaction():
            await database.execute(MOVE, DEBATES.name, stored.position, PROGRESS_CHANNEL)
            if DEBATES.wants(stored):
                await DEBATES.apply(database, [decoded(stored)])

    stream = nats.client.jetstream()  # pyright: ignore[reportUnknownMemberType] half untyped
    await stream.subscribe("chronicle.>", stream=CHRONICLE, cb=receive)
    await asyncio.Event().wait()


if __name__ == "__main__":
    collect_rarely()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
