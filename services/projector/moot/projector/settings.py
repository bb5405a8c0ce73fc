"""What the projector reads from its environment."""

from datetime import timedelta

from moot.runtime.settings import DatabaseSettings, Duration


class ProjectorSettings(DatabaseSettings):
    projection_verify_interval: Duration = timedelta(seconds=30)
    """Between two looks at a few random streams of each projection; not positive: none."""
