"""A real Prometheus beside the stack, as compose.observability.yaml has it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.containers.conftest import Took
from tests.support.composed import SERVICES, Composed
from tests.support.containers import docker, ran
from tests.support.dashboards import ALERTS, judged
from tests.support.waiting import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

PORT = 9090
SCRAPED_WITHIN = 90.0


@pytest.fixture
def observed(stack: Composed, took: Took) -> Iterator[Composed]:
    """The stack with Prometheus and none of what else would be layered over it."""
    layered = replace(stack, files=(*stack.files, "compose.observability.yaml"))
    image = json.loads(layered.compose("config", "--format", "json"))["services"]["prometheus"][
        "image"
    ]
    if ran("image", "inspect", image).returncode and ran("pull", "-q", image).returncode:
        pytest.skip(
            f"NOT SHOWN: there is no {image} (build tests/containers/prometheus under that name)"
        )
    took.note("up --wait prometheus", layered.up("--no-deps", "prometheus"))
    yield layered
    layered.compose("rm", "--stop", "--force", "prometheus")
    # Compose makes every volume that its files name.
    docker("volume", "rm", *(f"{stack.project}_{of}-data" for of in ("prometheus", "grafana")))


async def test_it_finds_every_service_and_judges_every_alert(
    stack: Composed, observed: Composed
) -> None:
    address = observed.the("prometheus").address

    def asked(path: str) -> dict[str, Any]:
        with urlopen(f"http://{address}:{PORT}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def found(expression: str) -> list[dict[str, str]]:
        result = asked(f"query?query={quote(expression)}")["result"]
        return [sample["metric"] for sample in result]

    async def all_are_up() -> bool:
        return {each["service"] for each in found("up == 1")} == set(SERVICES)

    async def all_are_judged() -> bool:
        groups = asked("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        expected = sum(len(judged(file)) for file in ALERTS)
        assert not [rule for rule in rules if rule["health"] == "err"], rules
        return [rule["health"] for rule in rules] == ["ok"] * expected

    await until(all_are_up, within=SCRAPED_WITHIN)
    await until(all_are_judged, within=SCRAPED_WITHIN)
    assert {each["moot_projection"] for each in found("moot_projection_position")}
    assert found('ALERTS{alertname="ServiceDown"}') == []

    observed.compose("stop", "allocator")
    try:

        async def is_missed() -> bool:
            alerts = found('ALERTS{alertname="ServiceDown"}')
            return [each["service"] for each in alerts] == ["allocator"]

        await until(is_missed, within=SCRAPED_WITHIN)
    finally:
        await asyncio.to_thread(stack.up)
