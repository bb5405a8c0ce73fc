"""Commands that are listed without being imported: none needs what most of the others do."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

if TYPE_CHECKING:
    from typer._click.core import Command, Context


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as its group's help shows it, and where it is: `module:name`.

    That is a function, or a Typer, which is a group of its own.
    """

    name: str
    place: str
    help: str
    logs: bool = True
    """Whether anything in it logs: only then is it worth importing what writes logs."""

    def imported(self) -> "Command":
        module, _, name = self.place.partition(":")
        found: Any = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return get_command(alone)


class Listing(TyperGroup):
    """A group of the commands `listed`, each imported when it is called or completed."""

    listed: ClassVar[Sequence[Listed]] = ()

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 Typer's
        super().__init__(**settings)
        for command in self.listed:
            self.add_command(TyperCommand(command.name, help=command.help))

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        name, found, rest = super().resolve_command(ctx, args)
        for command in self.listed:
            if command.name == name:
                return name, command.imported(), rest
        return name, found, rest
