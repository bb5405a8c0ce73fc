"""`moot config`: the settings that the environment gives, service by service."""

import importlib
import json
import os
from typing import Any, get_args

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from moot.cli.errors import SettingsError
from moot.cli.local.plan import SERVICES
from moot.cli.options import JsonOutput
from moot.runtime import settings as runtime

app = typer.Typer(no_args_is_help=True, help="The settings that the environment gives.")

HIDDEN = "(hidden)"


@app.command("check")
def check() -> None:
    """Say what is missing, wrong or unknown; exit code 2 when anything is."""
    problems = [f"{service}: {problem}" for service in SERVICES for problem in problems_of(service)]
    if problems:
        raise SettingsError("Settings are not right:\n" + "\n".join(problems))
    typer.echo("Every service can start with these settings.")


@app.command("show")
def show(as_json: JsonOutput = False) -> None:
    """Print every setting with its value; secrets are hidden."""
    shown = {service: shown_settings(service) for service in SERVICES}
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for service, values in shown.items():
        typer.echo(service)
        for name, value in values.items():
            typer.echo(f"  {name}={value}")


def problems_of(service: str) -> list[str]:
    """A line for each setting that keeps `service` from starting."""
    try:
        runtime.read_settings(settings_class(service))
    except runtime.SettingsError as error:
        return error.problems
    return []


def shown_settings(service: str) -> dict[str, str | None]:
    """Each variable with its value as the environment gives it, else its default."""
    fields = settings_class(service).model_fields
    shown: dict[str, str | None] = {}
    for field_name, field in fields.items():
        name = runtime.variable_name(field_name, field)
        default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
        value = os.environ.get(f"{name}_FILE") or os.environ.get(name) or default
        shown[name] = None if value is None else HIDDEN if is_secret(field) else str(value)
    return shown


def is_secret(field: FieldInfo) -> bool:
    """Kept out of `repr`, by itself or by its type."""
    return field.repr is False or SecretStr in (field.annotation, *get_args(field.annotation))


def settings_class(service: str) -> type[runtime.RuntimeSettings]:
    """A service's settings are the one class of them in its `settings.py`."""
    module = importlib.import_module(f"moot.{service}.settings")
    for found in vars(module).values():
        if (
            isinstance(found, type)
            and issubclass(found, runtime.RuntimeSettings)
            and found.__module__ == module.__name__
        ):
            return found
    raise AssertionError(f"{module.__name__} has no settings")
