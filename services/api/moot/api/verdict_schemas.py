"""The schemas that verdicts can follow: those that ship with Moot, and what admins register.

They are read from the Chronicle, where they are one short stream: from when one is registered,
every replica has it.
"""

from typing import Any

from starlette.responses import Response

from moot.api.bodies import RegisterVerdictSchemaBody, read_body
from moot.api.exchange import (
    JSON,
    POSITION,
    Api,
    Asked,
    answer_write,
    etag_of_content,
    is_known,
    obey,
    read_query,
)
from moot.api.lists import PageQuery, answer_page, start_of
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.contracts.verdict_schemas import (
    REGISTRY,
    RegisterVerdictSchema,
    VerdictSchemaRegistered,
)
from moot.contracts.views import PageView, VerdictSchemaView
from moot.domain import registered_schemas
from moot.domain.verdict_schemas import BUILT_IN, VerdictSchema

_LIST = "verdict schemas"


async def register(api: Api, asked: Asked) -> Response:
    """A schema that is registered already, just so, is answered as it is."""
    body = await read_body(asked.request, RegisterVerdictSchemaBody)
    command = RegisterVerdictSchema(
        by=asked.caller,
        schema_id=body.id,
        title=body.title,
        json_schema=body.json_schema,
        reason=body.reason,
    )
    outcome = await obey(api, asked, registered_schemas, REGISTRY, command)
    view = _registered_view(outcome.state.schemas[body.id])
    response = answer_write(view, outcome, 201 if outcome.recorded else 200)
    response.headers["Location"] = f"/api/verdict-schemas/{body.id}"
    response.headers["ETag"] = etag_of_content(view)
    return response


async def list_all(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, PageQuery)
    after = start_of(api, query, _LIST, 0)
    as_of = await api.chronicle.head()
    registered = (await _registry(api)).schemas.values()
    views = [*map(_view, BUILT_IN.values()), *map(_registered_view, registered)]
    found = list(enumerate(views, start=1))[after : after + query.limit + 1]
    return answer_page(api, asked, found, query, _LIST, as_of)


async def get_one(api: Api, asked: Asked) -> Response:
    schema_id: str = asked.request.path_params["schema_id"]
    as_of = await api.chronicle.head()
    if (shipped := BUILT_IN.get(schema_id)) is not None:
        view = _view(shipped)
    elif (registered := (await _registry(api)).schemas.get(schema_id)) is not None:
        view = _registered_view(registered)
    else:
        raise Problem("verdict-schema-not-found")
    # A schema never changes, and is anybody's to read.
    etag = etag_of_content(view)
    headers = {"ETag": etag, "Cache-Control": "public, max-age=86400", POSITION: str(as_of)}
    if is_known(asked.request, etag):
        return Response(status_code=304, headers=headers)
    return Response(view.model_dump_json(), headers=headers, media_type=JSON)


async def registered_schema(api: Api, schema_id: str) -> dict[str, Any] | None:
    """Return what is registered under the id; None also for what ships with Moot."""
    if schema_id in BUILT_IN:
        return None
    registered = (await _registry(api)).schemas.get(schema_id)
    return None if registered is None else registered.json_schema


async def _registry(api: Api) -> registered_schemas.Registry:
    return (await api.dispatcher.load(registered_schemas, REGISTRY)).state


def _view(schema: VerdictSchema) -> VerdictSchemaView:
    return VerdictSchemaView(id=schema.id, title=schema.title, json_schema=schema.json_schema)


def _registered_view(schema: VerdictSchemaRegistered) -> VerdictSchemaView:
    return VerdictSchemaView(
        id=schema.schema_id, title=schema.title, json_schema=schema.json_schema
    )


OPERATIONS = (
    Operation(
        "POST",
        "/api/verdict-schemas",
        "register_verdict_schema",
        "verdict schemas",
        "Register a verdict schema, which never changes from then on",
        register,
        {201: VerdictSchemaView, 200: VerdictSchemaView},
        who="admins",
        body=RegisterVerdictSchemaBody,
        example={
            "id": "grant",
            "title": "A sum is granted, or nothing",
            "json_schema": {
                "type": "object",
                "properties": {"euros": {"type": "integer", "minimum": 0}},
                "required": ["euros"],
            },
        },
        problems=(
            "invalid-verdict-schema",
            "verdict-schema-exists",
            "too-many-verdict-schemas",
            "idempotency-key-reused",
        ),
    ),
    Operation(
        "GET",
        "/api/verdict-schemas",
        "list_verdict_schemas",
        "verdict schemas",
        "List verdict schemas",
        list_all,
        {200: PageView[VerdictSchemaView]},
        query=PageQuery,
        problems=("invalid-request", "invalid-cursor"),
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
