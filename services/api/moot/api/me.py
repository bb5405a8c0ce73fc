"""Who the caller is."""

from starlette.responses import Response

from moot.api.exchange import JSON, Api, Asked
from moot.api.operations import Operation
from moot.contracts.views import CallerView


async def get_me(_: Api, asked: Asked) -> Response:
    caller = asked.caller
    view = CallerView(kind=caller.kind, id=caller.id, auth_id=caller.auth_id)
    return Response(view.model_dump_json(), media_type=JSON)


OPERATIONS = (
    Operation(
        "GET",
        "/api/me",
        "get_me",
        "callers",
        "Say who the caller is",
        get_me,
        {200: CallerView},
        who="callers",
    ),
)
