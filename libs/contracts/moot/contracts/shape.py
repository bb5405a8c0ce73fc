"""What every shape in the contracts has in common."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value that refuses fields it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text must not contain the NUL character")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time: aware, UTC, microseconds; RFC 3339 with `Z` in JSON."""

Text = Annotated[str, AfterValidator(_without_nul)]
"""Text from people and agents. NUL is refused: PostgreSQL can't store it."""
