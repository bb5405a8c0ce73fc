"""Time that stands still until a test moves it."""

from dataclasses import dataclass
from datetime import datetime

from tests.support.topics import NOON


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at
