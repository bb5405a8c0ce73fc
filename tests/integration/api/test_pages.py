"""What is there to read for people: complete, escaped, and with nothing in it that runs."""

import asyncio
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import pytest

from moot.api.contracts import contracts
from moot.api.openapi import document
from moot.api.pages.catalogue import catalogue
from moot.api.pages.guides import GUIDES
from moot.api.pages.reference import reference
from moot.api.pages.site import article, prose
from moot.api.problems import PROBLEMS
from tests.integration.api.world import NOBODY, World
from tests.support.nodejs import FOLDER, installed, node

ATTACK = "<script>alert('&\"')</script>"
PAGES = ("/docs", "/docs/events", *GUIDES, "/problems", "/problems/too-early")
NO_SCRIPTS = "default-src 'none'; style-src 'self';"


class Read(HTMLParser):
    """The elements, the attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> set[str]:
        return {value for name, value in self.attributes if name == attribute}


async def test_nothing_runs_in_a_page_and_nothing_comes_from_elsewhere(world: World) -> None:
    for path in PAGES:
        answer = await world.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"].startswith(NO_SCRIPTS)
        assert "unsafe" not in answer.headers["content-security-policy"]
        read = Read(answer.text)
        assert not {"script", "style", "iframe", "form", "img"} & set(read.elements), path
        names = {name for name, _ in read.attributes}
        assert not {name for name in names if name.startswith("on")} | names & {"style", "src"}
        assert all(re.match(r"[/#]", link) for link in read.values("href")), path


async def test_every_link_leads_somewhere(world: World) -> None:
    texts = {path: (await world.get(path)).text for path in PAGES}
    links = {(path, link) for path in PAGES for link in Read(texts[path]).values("href")}
    for path, link in links:
        target, _, anchor = link.partition("#")
        if target and target not in texts:
            texts[target] = (await found(world, target)).text
        assert not anchor or anchor in Read(texts[target or path]).values("id"), (path, link)


async def found(world: World, path: str):  # noqa: ANN201 httpx2's answer
    answer = await world.ask("GET", path, NOBODY)
    assert answer.status_code == 200, path
    return answer


async def test_the_reference_has_all_that_the_document_has(world: World) -> None:
    read = Read((await world.get("/docs")).text)
    anchors, links = read.values("id"), read.values("href")
    described = document()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["operationId"] in anchors
            assert f"{method.upper()} {path}" in read.text
            for parameter in operation.get("parameters", []):
                assert parameter["name"] in read.text
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    assert {f"/problems/{code}" for code in content.get("examples", {})} <= links
    assert {f"shape-{name}" for name in described["components"]["schemas"]} <= anchors


async def test_the_catalogue_has_every_type(world: World) -> None:
    read = Read((await world.get("/docs/events")).text)
    shown = contracts()
    assert {event.type for event in shown.events} <= read.values("id")
    assert {f"{one.category}-{one.name}" for one in shown.commands} <= read.values("id")
    for event in shown.events:
        for name in event.example:
            assert f'"{name}"' in read.text, event.type


async def test_the_documents_are_the_ones_that_are_committed(world: World) -> None:
    for path in ("/openapi.json", "/api/openapi.json"):
        assert (await world.get(path)).json() == document()
    assert (await world.get("/asyncapi.json")).json()["asyncapi"] == "3.0.0"


async def test_who_has_a_page_is_not_sent_it_again(world: World) -> None:
    for path in (*PAGES, "/docs/style.css"):
        first = await world.get(path)
        etag = {"If-None-Match": first.headers["etag"]}
        again = await world.ask("GET", path, headers=etag)
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == first.headers["etag"]


async def test_a_page_that_is_not_there_is_a_problem(world: World) -> None:
    for path in ("/docs/nonsense", "/docs/style.css/x", "/redoc", "/problems/unheard-of"):
        answer = await world.ask("GET", path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert (await world.ask("POST", "/docs")).status_code == 405


def spoilt(value: object) -> object:
    """The same with an attack in every text."""
    match value:
        case str() if value.startswith("#/"):
            return value
        case str():
            return value + ATTACK
        case dict():
            of = cast("dict[str, object]", value)
            return {name: spoilt(of[name]) for name in of}
        case list():
            return [spoilt(one) for one in cast("list[object]", value)]
        case _:
            return value


def test_whatever_is_described_is_text() -> None:
    described = document()
    operation = described["paths"]["/api/topics"]["post"]
    for name in ("summary", "parameters", "operationId"):
        operation[name] = spoilt(operation[name])
    content = operation["requestBody"]["content"]["application/json"]
    content["example"] = spoilt(content["example"])
    schemas = described["components"]["schemas"]
    properties = schemas["TopicView"]["properties"]
    schemas["TopicView"] |= {
        "description": ATTACK,
        "properties": {f"{name}{ATTACK}": spoilt(one) for name, one in properties.items()},
    }
    event = contracts().events[0]
    changed = event.model_copy(update={"example": spoilt(event.example)})
    shown = contracts().model_copy(update={"events": (changed,)})
    for page in (reference(described), catalogue(shown), prose(ATTACK), article(ATTACK)):
        assert "<script" not in page
        assert "&lt;script&gt;alert(" in page


def test_a_link_that_would_run_something_is_none() -> None:
    assert "<a" not in prose("[here](javascript:alert(1))")
    assert "<img" not in article("<img src=x onerror=alert(1)>")


async def test_the_html_is_valid_and_can_be_read_by_everybody(world: World, tmp_path: Path) -> None:
    pages = [tmp_path / f"{number}.html" for number in range(len(PAGES))]
    for file, path in zip(pages, PAGES, strict=True):
        file.write_text((await world.get(path)).text, encoding="utf-8")
    assert await asyncio.to_thread(faults, pages) == ""
    pages[0].write_text("<!doctype html><html><head></head><body><p><h1>x</p></body></html>")
    assert "missing" in await asyncio.to_thread(faults, pages)


def faults(pages: Sequence[Path]) -> str:
    checker = installed("html-validate") / "bin" / "html-validate.mjs"
    command = [
        node(),
        str(checker),
        "--config",
        str(FOLDER / "html-validate.json"),
        *map(str, pages),
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(found.stdout) == bool(found.returncode), found.stderr
    return found.stdout


def colours(style: str) -> Iterator[Mapping[str, str]]:
    """The light ones and the dark ones."""
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        yield dict(re.findall(r"--(\w+): #(\w{6});", block))


def luminance(colour: str) -> float:
    """As WCAG 2.2 has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("front", ["ink", "link"])
@pytest.mark.parametrize("back", ["paper", "shade"])
async def test_it_can_be_read_by_day_and_by_night(world: World, front: str, back: str) -> None:
    themes = list(colours((await world.get("/docs/style.css")).text))
    assert len(themes) == 2
    for theme in themes:
        lights = sorted((luminance(theme[front]), luminance(theme[back])))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def test_every_code_is_a_page_of_its_own() -> None:
    assert all(re.fullmatch(r"[a-z-]+", code) for code in PROBLEMS)
