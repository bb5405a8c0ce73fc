"""Alerts and dashboards name only what services export, and the runbook what to do about it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.support.dashboards import ALERTS, DASHBOARDS, PROMETHEUS, expressions, judged
from tests.support.declared_metrics import (
    documented,
    label_names,
    labels_in,
    names_in,
    sample_names,
)

_ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)
_RUNBOOK = re.compile(r"^ +runbook_url: (\S+)$", re.MULTILINE)

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool (Debian: prometheus)"
)


def unknown(expression: str) -> set[str]:
    """Return what the expression names and nobody exports."""
    return (names_in(expression) - sample_names()) | (labels_in(expression) - label_names())


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_shows_only_what_is_exported(dashboard: Path) -> None:
    shown = expressions(dashboard)
    assert shown
    assert {each: unknown(each) for each in shown if unknown(each)} == {}


@pytest.mark.parametrize("rules", ALERTS, ids=lambda path: path.stem)
def test_an_alert_judges_only_what_is_exported(rules: Path) -> None:
    text = rules.read_text(encoding="utf-8")
    found = judged(rules)
    assert len(found) == len(_ALERT.findall(text)) > 0
    assert {each: unknown(each) for each in found if unknown(each)} == {}


def test_what_nobody_exports_is_found() -> None:
    assert unknown("rate(moot_made_up_total[5m])") == {"moot_made_up_total"}
    assert unknown('moot_commands_total{topic="a"}') == {"topic"}
    assert unknown("sum by (le) (rate(moot_loop_lag_seconds_bucket[5m])) > 1e3") == set()


def test_every_alert_has_its_section_in_the_runbook() -> None:
    runbook = (ROOT / "deploy/RUNBOOK.md").read_text(encoding="utf-8")
    titles = re.findall(r"^### (.+)$", runbook, re.MULTILINE)
    sections = {f"deploy/RUNBOOK.md#{title.lower().replace(' ', '-')}" for title in titles}
    text = "".join(path.read_text(encoding="utf-8") for path in ALERTS)
    named = _RUNBOOK.findall(text)
    assert len(named) == len(_ALERT.findall(text))
    assert set(named) == sections


def test_every_metric_is_in_the_manual() -> None:
    manual = (ROOT / "docs/operations.md").read_text(encoding="utf-8").splitlines()
    header = manual.index("| metric | what it says | labels |")
    end = manual.index("", header)
    assert manual[header + 2 : end] == documented()


def test_every_dashboard_is_valid_for_grafana() -> None:
    assert {path.stem for path in DASHBOARDS} >= {
        "overview",
        "projections",
        "deadlines",
        "deliveries",
        "api",
    }
    uids = [json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids)


@promtool
def test_the_rules_are_rules() -> None:
    checked = run("check", "rules", *map(str, ALERTS))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@promtool
def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    told = (PROMETHEUS / "tests/alerts.yaml").read_text(encoding="utf-8")
    names = _ALERT.findall("".join(path.read_text(encoding="utf-8") for path in ALERTS))
    for name in names:
        assert f"name: {name} fires" in told
        assert f"name: {name} keeps still" in told
    tested = run("test", "rules", str(PROMETHEUS / "tests/alerts.yaml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program is not None
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
