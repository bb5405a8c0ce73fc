"""What the projector reads from its environment."""

from moot.runtime.settings import DatabaseSettings


class ProjectorSettings(DatabaseSettings):
    """Nothing of its own."""
