"""A whole Moot in a folder, as `moot up` starts it."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bench.processes import MEASURED
from moot.cli.local.lines import Lines
from moot.cli.local.plan import SERVICES, Plan
from moot.cli.local.running import Running
from moot.cli.local.stack import local_stack


@asynccontextmanager
async def whole_moot(
    folder: Path, replicas: Mapping[str, int] | None = None
) -> AsyncGenerator[Running]:
    """All services, or those in `replicas`, ready; what they say is dropped."""
    plan = Plan(data=folder, replicas=replicas or dict.fromkeys(SERVICES, 1))
    environment = {**os.environ, **MEASURED}
    with Path(os.devnull).open("w") as nowhere:  # noqa: ASYNC230 it isn't on a disk
        async with local_stack(plan, Lines(nowhere), environment) as stack:
            yield stack.running
