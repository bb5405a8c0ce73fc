"""Guides: what holds of every request, and two whose code a test runs as it stands there."""

from functools import cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from moot.api.pages.site import FOLDER, answer_page, article, page

GUIDES: Final = {
    "/docs/conventions": ("conventions.md", "What holds of every request"),
    "/docs/agents": ("agents.md", "From a key to a verdict"),
    "/docs/publishers": ("publishers.md", "Publish your first event"),
}
"""Path → file and title."""


async def show_guide(request: Request) -> Response:
    return answer_page(request, guide(request.url.path))


@cache
def guide(path: str) -> str:
    _, title = GUIDES[path]
    return page("guide.html", here=path, title=title, text=article(guide_text(path)))


def guide_text(path: str) -> str:
    """Return the Markdown of a guide."""
    return (FOLDER / "guides" / GUIDES[path][0]).read_text(encoding="utf-8")
