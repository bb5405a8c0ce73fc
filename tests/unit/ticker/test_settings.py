from datetime import timedelta

import pytest

from moot.ticker.settings import TickerSettings


@pytest.mark.parametrize(
    ("given", "interval"),
    [("30s", 30), ("20", 20), ("0", 15), ("-1.5", 15), ("-5s", 15), ("PT2S", 2), (None, 15)],
)
def test_an_interval_that_is_not_positive_is_15_seconds(given: str | None, interval: int) -> None:
    values = {"nats_url": "nats://x", "database_url": "postgresql://x"}
    if given is not None:
        values["orchestrator_tick_interval"] = given
    settings = TickerSettings.model_validate(values)
    assert settings.orchestrator_tick_interval == timedelta(seconds=interval)
