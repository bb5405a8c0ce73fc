"""`moot verdict-schemas`: the forms that verdicts can have."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from moot.cli import tables
from moot.cli.calls import answer_to, reached
from moot.cli.errors import CommandError
from moot.cli.options import ApiAddress, DataFolder, JsonOutput
from moot.cli.whereabouts import api_of, caller_at
from moot.contracts.views import VerdictSchemaView

app = typer.Typer(no_args_is_help=True, help="The forms that verdicts can have.")

SchemaId = Annotated[str, typer.Argument(metavar="SCHEMA", help="The schema's id.")]


@app.command("list")
def list_(
    api: ApiAddress = None, data: DataFolder = Path(".moot"), as_json: JsonOutput = False
) -> None:
    """List what ships with Moot and what was registered."""

    async def listed() -> list[VerdictSchemaView]:
        async with caller_at(data, api, None) as moot:
            return await moot.list_verdict_schemas().all()

    schemas = answer_to(listed())
    if as_json:
        typer.echo(json.dumps([schema.model_dump(mode="json") for schema in schemas]))
        return
    tables.show(("schema", "title"), ((one.id, one.title) for one in schemas), long={"title"})


@app.command("show")
def show(schema_id: SchemaId, api: ApiAddress = None, data: DataFolder = Path(".moot")) -> None:
    """Show a schema as JSON."""

    async def found() -> VerdictSchemaView:
        async with caller_at(data, api, None) as moot:
            return await moot.get_verdict_schema(schema_id)

    typer.echo(json.dumps(answer_to(found()).json_schema, indent=2))


@app.command("register")
def register(
    schema_id: SchemaId,
    file: Annotated[Path, typer.Argument(help="A JSON Schema 2020-12.")],
    title: Annotated[str, typer.Option(help="What it is, in a few words.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
) -> None:
    """Register a schema. It never changes from then on, nor does it go."""
    schema = _read(file)
    address, admin_key = api_of(data, api)

    async def registered() -> VerdictSchemaView:
        async with reached(address, admin_key=admin_key) as moot:
            return await moot.register_verdict_schema(schema_id, title, schema, reason=reason)

    typer.echo(f"{answer_to(registered()).id} is registered.")


def _read(file: Path) -> dict[str, Any]:
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"Can't read {file}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{file} isn't JSON: {error}") from error
    if not isinstance(schema, dict):
        raise CommandError(f"{file} isn't a JSON object")
    return cast("dict[str, Any]", schema)
