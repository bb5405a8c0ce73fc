"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataFolder = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="The folder of a local Moot's data.")
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ApiAddress = Annotated[
    str | None,
    typer.Option("--api", metavar="URL", help="Where the API is, if not that of `moot up` here."),
]
