"""What `streams` is held against: the same bytes to as many sockets, with nothing in between.

It begins when everyone is there, and joins what comes within the tenth of a second, as the API may.
"""

import asyncio
import sys
import time

import uvloop

CLIENTS = 1000
EVENTS_A_SECOND = 50
SECONDS = 5.0
EVENTS = int(EVENTS_A_SECOND * SECONDS)
JOIN_SECONDS = 0.1


async def _serve(size: int) -> None:
    writers: list[asyncio.StreamWriter] = []
    everyone = asyncio.Event()

    async def welcome(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"retry: 1\n\n")
        writers.append(writer)
        if len(writers) == CLIENTS:
            everyone.set()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0, backlog=CLIENTS)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 how its port is told
    await everyone.wait()
    began = time.monotonic()
    number = 0
    waiting: list[bytes] = []
    rested = began
    while number < EVENTS or waiting:
        await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - time.monotonic()))
        if number < EVENTS:
            event = f'data: "content":"{time.time():.6f} '.encode()
            waiting.append(event.ljust(size - 2, b".") + b"\n\n")
            number += 1
        if time.monotonic() >= rested + JOIN_SECONDS or number >= EVENTS:
            joined = b"".join(waiting)
            waiting = []
            rested = time.monotonic()
            for writer in writers:
                writer.write(joined)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
