"""The schemas that verdicts can follow. Registering more comes with the issue on the API."""

from starlette.responses import Response

from moot.api.exchange import JSON, Api, Asked, ETag, is_known
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.contracts.views import PageView, VerdictSchemaView
from moot.domain.verdict_schemas import BUILT_IN, VerdictSchema


async def list_all(_: Api, __: Asked) -> Response:
    view = PageView(items=tuple(_view(schema) for schema in BUILT_IN.values()), next=None)
    return Response(view.model_dump_json(), media_type=JSON)


async def get_one(_: Api, asked: Asked) -> Response:
    schema = BUILT_IN.get(asked.request.path_params["schema_id"])
    if schema is None:
        raise Problem("verdict-schema-not-found")
    # A schema never changes, and is anybody's to read.
    etag = ETag(f'"{schema.id}-v1"')
    headers = {"ETag": etag, "Cache-Control": "public, max-age=86400"}
    if is_known(asked.request, etag):
        return Response(status_code=304, headers=headers)
    return Response(_view(schema).model_dump_json(), headers=headers, media_type=JSON)


def _view(schema: VerdictSchema) -> VerdictSchemaView:
    return VerdictSchemaView(id=schema.id, title=schema.title, json_schema=schema.json_schema)


OPERATIONS = (
    Operation(
        "GET",
        "/api/verdict-schemas",
        "list_verdict_schemas",
        "verdict schemas",
        "List verdict schemas",
        list_all,
        {200: PageView[VerdictSchemaView]},
    ),
    Operation(
        "GET",
        "/api/verdict-schemas/{schema_id}",
        "get_verdict_schema",
        "verdict schemas",
        "Show a verdict schema",
        get_one,
        {200: VerdictSchemaView, 304: None},
        problems=("verdict-schema-not-found",),
    ),
)
