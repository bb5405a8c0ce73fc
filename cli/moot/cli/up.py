"""`moot up`: a whole Moot on this machine, until it is told to stop."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from moot.cli.local.lines import Lines
from moot.cli.local.plan import Plan, replicas_of
from moot.cli.local.running import Running
from moot.cli.local.stack import local_stack
from moot.cli.options import DataFolder, JsonOutput

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    data: DataFolder = Path(".moot"),
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The API's port.", show_default="8080, or a free one"),
    ] = None,
    services: Annotated[
        str | None,
        typer.Option(help="Which services to start, e.g. ticker,api; none for only the servers."),
    ] = None,
    replicas: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N", help="How many of a service; may be given several times."),
    ] = None,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Leave the usual ports to others, taken or not.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Start servers and services here and stay; Ctrl-C stops them all."""
    plan = Plan(
        data=data,
        replicas=replicas_of(services, replicas or []),
        api_port=port,
        free_ports=free_ports,
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_told(plan, as_json=as_json))


async def _until_told(plan: Plan, *, as_json: bool) -> None:
    """Run the stack until one of the signals: that cancels this, wherever it is by then."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    living = asyncio.create_task(_live(plan, as_json=as_json))
    told = asyncio.create_task(stopping.wait())
    for asked in STOP_SIGNALS:
        loop.add_signal_handler(asked, stopping.set)
    await asyncio.wait({living, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    living.cancel()
    await living


async def _live(plan: Plan, *, as_json: bool) -> None:
    async with local_stack(plan, Lines(sys.stderr if as_json else sys.stdout)) as stack:
        running = stack.running
        print(running.model_dump_json() if as_json else told(running, plan), flush=True)  # noqa: T201
        await asyncio.Event().wait()


def told(running: Running, plan: Plan) -> str:
    """What a person wants to know of a stack that is ready."""
    count = sum(len(pids) for pids in running.pids.values())
    return "\n".join(
        [
            "",
            f"Moot is ready: {count} processes.",
            *([f"  API        {running.api}"] if running.api else []),
            f"  NATS       {running.nats}",
            f"  PostgreSQL {running.postgres}",
            f"  admin key  {running.admin_key}",
            f"  data       {plan.data.absolute()}",
            "Ctrl-C stops it.",
            "",
        ]
    )
