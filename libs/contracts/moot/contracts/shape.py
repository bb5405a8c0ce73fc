"""What every shape in the contracts has in common."""

import math
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from moot.contracts.described import Described

ShapeT = TypeVar("ShapeT", bound=BaseModel)


def checked(shape: type[ShapeT], fields: dict[str, Any]) -> ShapeT:
    """Make a shape of values that were checked when they were stored: each field, in its own type.

    Nothing is looked at again, not even what is left out: checking takes most of the time that a
    long list does. `model_construct`, whose steps these are, looks for defaults and aliases, too.
    """
    made = object.__new__(shape)
    give = object.__setattr__
    give(made, "__dict__", fields)
    give(made, "__pydantic_fields_set__", _names_of(shape))
    give(made, "__pydantic_extra__", None)
    give(made, "__pydantic_private__", None)
    return made


@cache
def _names_of(shape: type[BaseModel]) -> set[str]:
    """Return one set for all shapes of a kind, as they are frozen: a page's own were 100 KiB."""
    return set(shape.model_fields)


class Frozen(Described):
    """An immutable value that refuses fields it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _in_utc(value: object, validated: ValidatorFunctionWrapHandler) -> datetime:
    """Read what Moot writes itself with Python alone: a third of the time, and in UTC already."""
    if type(value) is str and _looks_canonical(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    try:
        # Text is what a time is in JSON, but `validated` refuses it where numbers aren't times.
        moment = _TIME.validate_python(value) if type(value) is str else validated(value)
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment lies outside the years 1 to 9999 in UTC") from None


def _looks_canonical(text: str) -> bool:
    """Say whether it is `YYYY-MM-DDThh:mm:ssZ` or `YYYY-MM-DDThh:mm:ss.ffffffZ` if it is a time."""
    return (
        len(text) in _CANONICAL_LENGTHS
        and text[4] == text[7] == "-"
        and text[10] == "T"
        and text[13] == text[16] == ":"
        and text[19] in ".Z"
        and text[-1] == "Z"
    )


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text must not contain the NUL character")
    return text


def _storable(document: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a JSON reader further on would choke on: no depth, NUL or infinity gets in."""
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"JSON must not be nested more than {MAX_JSON_DEPTH} deep")
        match value:
            case str():
                _without_nul(value)
            case float() if not math.isfinite(value):
                raise ValueError("numbers must be finite and not larger than 1.8e308")
            case list():
                waiting += [(item, depth + 1) for item in value]  # pyright: ignore[reportUnknownVariableType] checked as it is popped
            case dict():
                waiting += [(item, depth + 1) for pair in value.items() for item in pair]  # pyright: ignore[reportUnknownVariableType] as above
            case _:
                pass
    return document


MAX_JSON_DEPTH = 64
_CANONICAL_LENGTHS = {20, 27}
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)

JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
"""Any JSON object that everything Moot stores in can hold: no NUL, finite, not too deep."""

Moment = Annotated[AwareDatetime, WrapValidator(_in_utc)]
"""A point in time: aware, UTC, microseconds; RFC 3339 with `Z` in JSON."""

Text = Annotated[str, AfterValidator(_without_nul)]
"""Text from people and agents. NUL is refused: PostgreSQL can't store it."""


def is_none(value: object) -> bool:
    """Whether a field that came later is left out, so that what was stored stays as it was."""
    return value is None
