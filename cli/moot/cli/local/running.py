"""What a local Moot that runs says of itself."""

from pydantic import BaseModel, ConfigDict, Field


class Running(BaseModel):
    """What `moot up --json` prints, and what the data folder's `running.json` holds meanwhile."""

    model_config = ConfigDict(frozen=True)

    api: str | None
    apis: list[str]
    """Of every replica, the first of which is `api`."""
    nats: str = Field(repr=False)
    nats_monitor: str | None = None
    postgres: str = Field(repr=False)
    admin_key: str = Field(repr=False)
    pids: dict[str, list[int]]
