"""`/docs/events`: every type of event and command, with its schema and an example."""

from functools import cache

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from moot.api import asyncapi
from moot.api.contracts import contracts
from moot.api.pages.site import answer_page, page
from moot.contracts.catalogue_views import ContractsView


async def show_asyncapi(_: Request) -> Response:
    return JSONResponse(asyncapi.document())


async def show_events(request: Request) -> Response:
    return answer_page(request, _catalogue())


def catalogue(shown: ContractsView) -> str:
    return page("events.html", here="/docs/events", title="Events and commands", shown=shown)


@cache
def _catalogue() -> str:
    return catalogue(contracts())
