"""Callers who ask too much."""

import pytest

from moot.api.rate_limits import RateLimits
from tests.integration.api.world import ADMIN, World


@pytest.fixture
def limits() -> RateLimits:
    return RateLimits(5, lambda: 0.0)


async def test_each_caller_has_their_own(world: World) -> None:
    bad = {"Authorization": "Bearer nonsense"}
    answers = [await world.get("/api/topics", ADMIN) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[0].headers["ratelimit"] == '"caller";r=4;t=12'
    assert answers[0].headers["ratelimit-policy"] == '"caller";q=5;w=60'
    assert answers[5].json()["code"] == "too-many-requests"
    assert answers[5].headers["retry-after"] == "12"

    # Those whose credentials don't hold are counted with the others of their address.
    wrong = [(await world.get("/api/topics", bad)).status_code for _ in range(3)]
    unnamed = [(await world.get("/api/topics")).status_code for _ in range(2)]
    assert (wrong, unnamed) == ([401] * 3, [200] * 2)
    for caller in (bad, {}):
        assert (await world.get("/api/topics", caller)).status_code == 429
    assert (await world.get("/api/openapi.json")).status_code == 200
