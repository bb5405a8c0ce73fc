"""How a page is made and sent: escaped, with nothing in it that runs or comes from elsewhere."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from moot.api.exchange import ETag, is_known
from moot.api.pages.shapes import shape

FOLDER: Final = Path(__file__).parent
SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
NAVIGATION: Final = (
    ("/docs", "Reference"),
    ("/docs/conventions", "Conventions"),
    ("/docs/events", "Events"),
    ("/problems", "Problems"),
    ("/docs/agents", "For agents"),
    ("/docs/publishers", "For publishers"),
)


def page(template: str, *, here: str, title: str, **shown: object) -> str:
    """`here` is the page's own path."""
    found = _templates().get_template(template)
    return found.render(here=here, title=title, navigation=NAVIGATION, **shown)


def answer_page(request: Request, text: str) -> Response:
    return _unless_known(request, text, HTMLResponse)


async def show_style(request: Request) -> Response:
    text = (FOLDER / "style.css").read_text(encoding="utf-8")
    return _unless_known(request, text, lambda css: Response(css, media_type="text/css"))


def prose(text: str) -> Markup:
    """Return one line of Markdown as HTML; HTML in it is text."""
    return Markup(_markdown().renderInline(text))  # noqa: S704 its HTML is escaped


def article(text: str) -> Markup:
    """Return a Markdown page as HTML; HTML in it is text."""
    return Markup(_markdown().render(text))  # noqa: S704 its HTML is escaped


def _unless_known(request: Request, text: str, made: Callable[[str], Response]) -> Response:
    etag = ETag(f'"{sha256(text.encode()).hexdigest()[:32]}"')
    response = Response(status_code=304) if is_known(request, etag) else made(text)
    response.headers.update({**SECURITY, "ETag": etag, "Cache-Control": "no-cache"})
    return response


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": prose, "shape": shape, "pretty": _pretty}
    return environment


def _pretty(value: object) -> str:
    return to_json(value, indent=2).decode()
