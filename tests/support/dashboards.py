"""What dashboards and alerts ask Prometheus for."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
ALERTS = sorted((PROMETHEUS / "alerts").glob("*.yaml"))

_EXPRESSION = re.compile(r"^ +expr: >-\n +(.+)$", re.MULTILINE)
_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def judged(rules: Path) -> list[str]:
    """Return the expressions of a file of alerts."""
    return _EXPRESSION.findall(rules.read_text(encoding="utf-8"))


def expressions(dashboard: Path) -> list[str]:
    return list(_expressions(_JSON.validate_json(dashboard.read_bytes())))


def _expressions(part: Any) -> Iterator[str]:  # noqa: ANN401 any JSON
    match part:
        case {"expr": str() as expression}:
            yield expression
        case dict():
            for inner in TypeAdapter(dict[str, Any]).validate_python(part).values():
                yield from _expressions(inner)
        case list():
            for inner in TypeAdapter(list[Any]).validate_python(part):
                yield from _expressions(inner)
        case _:
            pass
