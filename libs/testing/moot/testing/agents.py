"""Agents that act in tests."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent of the Moot that is tested with, and the key that it shows."""

    id: str
    key: str = field(repr=False)
