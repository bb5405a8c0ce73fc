"""`moot demo`: a whole debate on servers of its own."""

from pathlib import Path
from typing import Annotated

import typer

from moot.cli.demo.run import run


def demo(
    file: Annotated[
        Path | None, typer.Option(help="A debate in the form of those in examples/.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the data here.", show_default="a temporary folder"),
    ] = None,
    keep: Annotated[bool, typer.Option(help="Keep the data of a demo without --data.")] = False,
) -> None:
    """Play a whole debate on real servers, check that everything held, and stop them."""
    raise typer.Exit(run(file, data, keep=keep))
