from pydantic import Field, SecretStr

from moot.runtime.settings import RuntimeSettings


class AllocatorSettings(RuntimeSettings):
    draw_key: SecretStr = Field(validation_alias="MOOT_DRAW_KEY", min_length=16)
    """What every draw's secret is derived from. Changing it strands topics that have committed."""
