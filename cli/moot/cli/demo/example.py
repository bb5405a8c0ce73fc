"""A debate to play, in the form that `examples/README.md` explains."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from moot.cli.errors import SettingsError
from moot.contracts.debates import Camp
from moot.contracts.shape import Frozen, Text

ROUNDS = 3
DEFAULT_EXAMPLE = Path("examples", "debates", "ban-plastic-water-bottles.json")


class ExampleError(SettingsError):
    """The file isn't a debate that can be played."""


class ExampleArgument(Frozen):
    turn: int
    side: Literal[Camp.PRO, Camp.CON]
    speaker: Text
    text: Text = Field(min_length=1)
    rank_score: float | None = None
    """How convincing people found it: the lower, the more."""
    round: int | None = Field(default=None, ge=1, le=ROUNDS)

    @property
    def content(self) -> str:
        """What is posted: the agent of a camp speaks for many people and names them."""
        return f"{self.text}\n\n— {self.speaker}"


class Sides(Frozen):
    pro: Text
    con: Text


class Example(Frozen):
    motion: Text = Field(min_length=1, max_length=200)
    description: Text | None = None
    sides: Sides
    source: Text
    licence: Text
    citation: Text | None = None
    arguments: tuple[ExampleArgument, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if [argument.turn for argument in self.arguments] != list(range(1, self.size + 1)):
            raise ValueError("turns must count the arguments from 1")
        if {argument.side for argument in self.arguments} != {Camp.PRO, Camp.CON}:
            raise ValueError("both sides must have arguments")
        rounds = [argument.round for argument in self.arguments if argument.round is not None]
        if len(rounds) not in {0, self.size} or rounds != sorted(rounds):
            raise ValueError("either every argument names its round, in order, or none does")
        ranked = [argument.rank_score is not None for argument in self.arguments]
        if any(ranked) and not all(ranked):
            raise ValueError("either every argument has a rank_score or none has")
        return self

    @property
    def size(self) -> int:
        return len(self.arguments)

    @property
    def speakers(self) -> int:
        return len({argument.speaker for argument in self.arguments})

    def in_rounds(self) -> tuple[tuple[ExampleArgument, ...], ...]:
        """The arguments of each round, in order: as they name it, else dealt out evenly."""
        return tuple(
            tuple(a for a in self.arguments if self._round_of(a) == round_no)
            for round_no in range(ROUNDS)
        )

    def _round_of(self, argument: ExampleArgument) -> int:
        if argument.round is not None:
            return argument.round - 1
        return (argument.turn - 1) * ROUNDS // self.size


def read_example(file: Path | None) -> Example:
    """Read `file`, or the example that ships with Moot. Raises ExampleError."""
    path = file or _repository() / DEFAULT_EXAMPLE
    try:
        return Example.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ExampleError(f"can't read the debate {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise ExampleError(f"{path} isn't a debate to play: {where}: {first['msg']}") from error


def _repository() -> Path:
    return Path(__file__).parents[4]
