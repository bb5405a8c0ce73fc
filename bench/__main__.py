"""Runs the benchmarks that were named, or all of them, each on servers of its own."""

import argparse
import asyncio
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop

from bench import (
    announce,
    catch_up,
    commands,
    deadlines,
    failover,
    freshness,
    memory,
    reads,
    rebuild,
    report,
    start,
    streams,
    waiting,
)
from bench.figures import Result
from bench.servers import Servers, running_servers
from moot.runtime.lifecycle import collect_rarely

ON_SERVERS: dict[str, Callable[[Servers], Awaitable[Result]]] = {
    "catch_up": catch_up.run,
    "freshness": freshness.run,
    "deadlines": deadlines.run,
    "waiting": waiting.run,
    "failover": failover.run,
    "announce": announce.run,
    "rebuild": rebuild.run,
}
IN_FOLDER: dict[str, Callable[[Path], Awaitable[Result]]] = {
    "commands": commands.run,
    "memory": memory.run,
    "reads": reads.run,
    "start": start.run,
    "streams": streams.run,
}
"""Those that start a whole Moot of their own."""

BENCHMARKS = (*ON_SERVERS, *IN_FOLDER)

# A real disk: in memory an acknowledgement would cost nothing.
ON_DISK = Path("/var/tmp")  # noqa: S108 a folder of a name of its own is made in it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME")
    names = parser.parse_args().names or list(BENCHMARKS)
    # Each event's line in a log would be a good part of what is measured.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    collect_rarely()
    results: dict[str, Result] = {}
    for name in names:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results[name] = runner.run(_measured(name))
        report.keep({name: results[name]})
    report.show(results)


async def _measured(name: str) -> Result:
    # As after Ctrl-C: what was started is stopped, and no folder stays.
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, signal.raise_signal, signal.SIGINT
    )
    with tempfile.TemporaryDirectory(prefix="moot-bench-", dir=ON_DISK) as folder:
        if name in IN_FOLDER:
            return await IN_FOLDER[name](Path(folder))
        async with running_servers(Path(folder)) as servers:
            return await ON_SERVERS[name](servers)


if __name__ == "__main__":
    main()
