"""Every instrument of every service, and what PromQL may say of them."""

import re
from importlib import import_module

from moot.cli.local.plan import SERVICES
from moot.runtime.metrics import Declared, declared

_QUOTED = re.compile(r"\"[^\"]*\"")
_BRACES = re.compile(r"\{[^}]*\}")
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset", "inf", "nan"}
_OF_PROMETHEUS = {"le", "job", "instance", "service"}


def everything_declared() -> list[Declared]:
    for service in SERVICES:
        import_module(f"moot.{service}.app")
    return declared()


def sample_names() -> set[str]:
    """Return the names of the samples that Prometheus may find."""
    return {name for each in everything_declared() for name in _samples(each)} | {
        "up",
        "target_info",
    }


def _samples(metric: Declared) -> list[str]:
    name = metric.prometheus_name
    if metric.kind != "histogram":
        return [name]
    return [f"{name}_{part}" for part in ("bucket", "count", "sum")]


def label_names() -> set[str]:
    attributes = {name for each in everything_declared() for name in each.attributes}
    return {name.replace(".", "_") for name in attributes} | _OF_PROMETHEUS


def names_in(expression: str) -> set[str]:
    """Return the metrics that a PromQL expression names."""
    without_labels = _BRACES.sub("", _QUOTED.sub("", _GROUPED.sub("", expression)))
    without_ranges = re.sub(r"\[[^\]]*\]", "", without_labels)
    return set(_NAME.findall(without_ranges)) - _WORDS


def labels_in(expression: str) -> set[str]:
    """Return the labels that a PromQL expression names."""
    grouped = {name.strip() for names in _GROUPED.findall(expression) for name in names.split(",")}
    matched = {name for braces in _BRACES.findall(expression) for name in _LABEL.findall(braces)}
    return (grouped | matched) - {""}


def documented() -> list[str]:
    """Return the rows of the table in docs/operations.md, as they have to be."""
    return [_row(each) for each in everything_declared()]


def _row(metric: Declared) -> str:
    labels = ", ".join(f"`{name.replace('.', '_')}`" for name in metric.attributes)
    return f"| `{metric.prometheus_name}` | {metric.description} | {labels} |"
