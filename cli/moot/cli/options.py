"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataFolder = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="The folder of a local Moot's data.")
]
AgentKey = Annotated[
    str | None,
    typer.Option(
        "--key", envvar="MOOT_AGENT_KEY", help="An agent's key; else the admin's is used, if known."
    ),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ApiAddress = Annotated[
    str | None,
    typer.Option("--api", metavar="URL", help="Where the API is, if not that of `moot up` here."),
]
