"""Callers who ask too much."""

from dataclasses import replace
from ipaddress import ip_network

import httpx2
import pytest

from moot.api.app import create_app
from moot.api.client_addresses import ClientAddresses
from moot.api.exchange import Api
from moot.api.rate_limits import RateLimits
from moot.runtime.readiness import Readiness
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


async def test_behind_a_trusted_proxy_each_address_has_its_own(world: World, api: Api) -> None:
    def behind(*proxies: str) -> World:
        trusted = replace(api, addresses=ClientAddresses(tuple(map(ip_network, proxies))))
        app = create_app(trusted, Readiness())
        transport = httpx2.ASGITransport(app=app, client=("10.1.1.1", 4711))
        return replace(
            world, http=httpx2.AsyncClient(transport=transport, base_url="http://moot.test")
        )

    async def asked(through: World, *addresses: str) -> list[int]:
        said = [{"X-Forwarded-For": address} for address in addresses]
        return [(await through.ask("GET", "/api/topics", headers=h)).status_code for h in said]

    trusting = behind("10.0.0.0/8")
    assert await asked(trusting, *["192.0.2.7"] * 6, "192.0.2.8") == [200] * 5 + [429, 200]
    # An invented beginning gives nobody a limit of their own.
    assert await asked(trusting, *(f"198.51.100.{n}, 192.0.2.7" for n in range(3))) == [429] * 3
    others = [f"203.0.113.{n}" for n in range(6)]
    assert await asked(behind("172.16.0.0/12"), *others) == [200] * 5 + [429]
