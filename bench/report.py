"""`bench/results.json`, and the table that people read."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import Result

WIDE = 140
RESULTS = Path(__file__).parent / "results.json"


def keep(results: Mapping[str, Result]) -> None:
    """Write `results` beside those of earlier runs; a new figure replaces the old one."""
    before: dict[str, Any] = {}
    if RESULTS.exists():
        before = json.loads(RESULTS.read_text())["results"]
    document: dict[str, Any] = {
        "machine": machine(),
        "commit": commit(),
        "results": before | {name: result.to_json() for name, result in results.items()},
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")


def show(results: Mapping[str, Result]) -> None:
    table = Table(title=f"{machine()}, commit {commit()}")
    for column in (
        "",
        "value",
        "baseline",
        "ratio",
        "p50 ms",
        "p99 ms",
        "max ms",
        "1/16 · 1/4 · 1",
    ):
        table.add_column(column, justify="left" if not column else "right")
    table.add_column("exponent", justify="right")
    for name, result in results.items():
        table.add_row(
            name,
            f"{_number(result.value)} {result.unit}",
            _number(result.baseline),
            _number(result.ratio),
            _number(result.p50_ms),
            _number(result.p99_ms),
            _number(result.max_ms),
            " · ".join(_number(value) for value in result.sizes.values()),
            _number(result.exponent),
        )
    console = Console(width=max(Console().width, WIDE))
    console.print(table)
    for name, result in results.items():
        if result.notes:
            console.print(f"[bold]{name}[/bold] {json.dumps(result.to_json()['notes'])}")


def machine() -> str:
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {python}, load {load:.1f}"


def commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    said = subprocess.run(asked, check=False, capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def _number(value: Any) -> str:  # noqa: ANN401 a figure, or none
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004
