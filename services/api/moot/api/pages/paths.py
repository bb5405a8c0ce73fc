"""Where each page is."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from moot.api.pages.catalogue import show_asyncapi, show_events
from moot.api.pages.guides import GUIDES, show_guide
from moot.api.pages.problems import explain_problem, list_problems
from moot.api.pages.reference import show_openapi, show_reference
from moot.api.pages.site import show_style

PAGES: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
    "/docs": show_reference,
    "/docs/events": show_events,
    "/docs/style.css": show_style,
    **dict.fromkeys(GUIDES, show_guide),
    "/problems": list_problems,
    "/problems/{code}": explain_problem,
    "/openapi.json": show_openapi,
    "/api/openapi.json": show_openapi,
    "/asyncapi.json": show_asyncapi,
}
