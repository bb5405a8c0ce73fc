"""An expected no."""

from dataclasses import dataclass

from moot.contracts.views import FieldProblem


@dataclass(frozen=True, slots=True)
class Refused:
    """A command was understood and turned down. `code` is stable, `detail` is for people."""

    code: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
