"""Names on the wire. Stored for ever: never renamed."""

from typing import Literal, NamedTuple, Self, get_args

from moot.contracts.ids import is_safe_token

CHRONICLE = "CHRONICLE"
DEAD = "DEAD"

EVERYTHING = "chronicle.>"
"""Every subject of the Chronicle."""

Category = Literal[
    "topic",
    "ceremony",
    "artifact",
    "accord",
    "posture",
    "council",
    "delivery",
    "access",
    "operation",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)


class StreamName(NamedTuple):
    """One stream of events: all that happened to one thing."""

    category: Category
    id: str

    @property
    def subject(self) -> str:
        return f"chronicle.{self.category}.{self.id}"

    @property
    def label(self) -> str:
        """Return the CloudEvents `subject`: `topic/<id>`."""
        return f"{self.category}/{self.id}"

    @classmethod
    def parse(cls, subject: str) -> Self:
        """Read a NATS subject. Raises ValueError on any other text."""
        root, _, rest = subject.partition(".")
        category, _, stream_id = rest.partition(".")
        if root != "chronicle" or category not in CATEGORIES or not is_safe_token(stream_id):
            raise ValueError(f"not a subject of the Chronicle: {subject!r}")
        return cls(category, stream_id)


def category_filter(category: Category) -> str:
    return f"chronicle.{category}.>"


def dead_subject(service: str) -> str:
    return f"dead.{service}"


TICKER_HEARTBEATS = "live.ticker.*"


def ticker_heartbeat(replica: str) -> str:
    return f"live.ticker.{replica}"
