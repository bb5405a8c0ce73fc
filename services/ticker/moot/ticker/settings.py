import re
from datetime import timedelta

from pydantic import field_validator

from moot.runtime.settings import DatabaseSettings, Duration

DEFAULT_INTERVAL = timedelta(seconds=15)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class TickerSettings(DatabaseSettings):
    pool_size: int = 2
    orchestrator_tick_interval: Duration = DEFAULT_INTERVAL
    """Between two looks at the Ops DB for missed deadlines; firing never waits for it."""

    @field_validator("orchestrator_tick_interval", mode="before")
    @classmethod
    def _seconds(cls, given: object) -> object:
        """A bare number is seconds."""
        return f"{given}s" if isinstance(given, str) and _NUMBER.fullmatch(given) else given

    @field_validator("orchestrator_tick_interval")
    @classmethod
    def _positive(cls, interval: timedelta) -> timedelta:
        return interval if interval > timedelta(0) else DEFAULT_INTERVAL
