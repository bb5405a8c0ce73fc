"""What the services of a whole Moot show at `/metrics`, and say in their logs."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter, ValidationError

from moot.cli.local.plan import SERVICES
from moot.cli.local.probe import http_get
from tests.support.whole_moot import WholeMoot

_PREFIX = re.compile(r"^(\S+)\s+│ ?(.*)$")


class Series(NamedTuple):
    """A sample's name and labels, without the bound of a histogram's bucket."""

    service: str
    name: str
    labels: frozenset[tuple[str, str]]


async def scraped(moot: WholeMoot) -> dict[Series, float]:
    """Ask every process of Moot's own; of several replicas the last one's numbers are kept."""
    found: dict[Series, float] = {}
    for service, pids in moot.pids().items():
        if service in SERVICES:
            for pid in pids:
                answer = await http_get(_port(pid), "/metrics")
                assert answer is not None, service
                found |= _series(service, answer.body.decode())
    return found


def _series(service: str, shown: str) -> dict[Series, float]:
    return {
        Series(
            service, sample.name, frozenset((k, v) for k, v in sample.labels.items() if k != "le")
        ): sample.value
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
    }


def _port(pid: int) -> int:
    environment = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
    given = {name: value for name, _, value in (line.partition("=") for line in environment)}
    return int(given.get("HEALTH_PORT") or given["MOOT_API_PORT"])


def said(log: Path) -> Iterable[tuple[str, str]]:
    """Yield the name of each service and what it said, line by line."""
    for line in log.read_text(encoding="utf-8").splitlines():
        prefixed = _PREFIX.match(line)
        if prefixed is not None and prefixed[1].rpartition("-")[0] in SERVICES:
            yield prefixed[1].rpartition("-")[0], prefixed[2]


def parsed(line: str) -> Mapping[str, Any] | None:
    """Return a line of a log as JSON, None where it is something else."""
    try:
        return TypeAdapter(dict[str, Any]).validate_json(line)
    except ValidationError:
        return None
