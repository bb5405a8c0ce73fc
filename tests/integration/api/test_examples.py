"""Each example in the OpenAPI document, asked of the running API."""

import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic_core import to_json

from moot.api.event_stream import MEDIA_TYPE as EVENT_STREAM
from moot.api.exchange import Api
from moot.api.health_pages import HEALTH_PATHS
from moot.api.openapi import document
from moot.api.recorded import EXAMPLES, FILE, Example, examples
from tests.integration.api.example_requests import FIRST, LAST, NAMED, READY, Request, ask
from tests.integration.api.serving import served
from tests.integration.api.world import World
from tests.support.event_source import Event, listening

DESCRIBED = document()
OPERATIONS: Mapping[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for path in DESCRIBED["paths"].values()
    for operation in path.values()
}
HEALTH = {name: path for path, (name, _) in HEALTH_PATHS.items()}
MANY = 6
SHOWN_ONCE = re.compile(r"(moot_(?:pub_)?[0-9a-f]+_|whsec_)[\w+/=-]+")


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    async with served(api) as port:
        yield port


def test_every_operation_has_an_example() -> None:
    assert READY.keys() | HEALTH.keys() == OPERATIONS.keys()
    for name in READY:
        operation = OPERATIONS[name]
        for parameter in operation["parameters"]:
            assert "example" in parameter or not parameter.get("required"), (name, parameter)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in content or "batch" in name or NAMED[name].other_bodies, name
        contents = [answer.get("content", {}) for answer in operation["responses"].values()]
        shown = [one for content in contents for one in content.values() if "example" in one]
        status = str(next(iter(NAMED[name].answers)))
        assert shown or "content" not in operation["responses"][status], name


async def test_what_is_documented_is_answered(world: World, port: int) -> None:
    between = [name for name in READY if name not in {*FIRST, *LAST}]
    for name in (*FIRST, *between, *LAST):
        request = await READY[name](world)
        operation = NAMED[name]
        if EVENT_STREAM in operation.media_types:
            found = await heard(name, request, port)
        else:
            found = await answered(name, request, world)
        assert found.status == next(iter(operation.answers)), found
        check(name, found)
        if "RECORD_EXAMPLES" in os.environ:
            record(name, found)
        shown = examples()[name]
        check(name, shown)
        assert shown.answer.keys() == found.answer.keys(), name
        assert shown.path.keys() == found.path.keys(), name


async def test_health_answers_as_documented(world: World) -> None:
    for name, path in HEALTH.items():
        answer = await world.ask("GET", path)
        assert str(answer.status_code) in OPERATIONS[name]["responses"], name


def check(name: str, found: Example) -> None:
    """What came is what the document says that comes."""
    contents = OPERATIONS[name]["responses"][str(found.status)].get("content", {})
    assert found.answer.keys() == contents.keys()
    for media_type, answer in found.answer.items():
        schema = contents[media_type]["schema"] | {"components": DESCRIBED["components"]}
        errors = [str(error) for error in Draft202012Validator(schema).iter_errors(answer)]
        assert errors == [], name


async def answered(name: str, request: Request, world: World) -> Example:
    answer = await ask(world, name, request)
    assert answer.is_success, answer.text
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    came: dict[str, Any] = {media_type: answer.json()} if answer.content else {}
    if "text/markdown" in NAMED[name].media_types:
        query = {**request.query, "format": "markdown"}
        text = await ask(world, name, Request(request.caller, request.path, query))
        came["text/markdown"] = text.text
    return Example(
        path=dict(request.path),
        query=dict(request.query),
        status=answer.status_code,
        answer=came,
    )


async def heard(name: str, request: Request, port: int) -> Example:
    """Its first event, as it comes over the wire."""
    path = NAMED[name].path.format(**request.path)
    async with listening(port, f"{path}?after={request.query['after']}", request.caller) as source:
        (event,) = await source.take(1)
        return Example(
            path=dict(request.path),
            query=dict(request.query),
            status=source.status,
            answer={EVENT_STREAM: frame(event)},
        )


def frame(event: Event) -> str:
    schema = DESCRIBED["components"]["schemas"]["EventView"]
    Draft202012Validator(schema | {"components": DESCRIBED["components"]}).validate(event.data)
    return f"id: {event.id}\nevent: {event.name}\ndata: {json.dumps(event.data)}\n\n"


def record(name: str, found: Example) -> None:
    """Write the example as it is to be shown: what gives access is made illegible."""
    shown = {media_type: shortened(answer) for media_type, answer in found.answer.items()}
    text = to_json(found.model_copy(update={"answer": shown})).decode()
    told = SHOWN_ONCE.sub(lambda key: key[1] + "x" * 43, text)
    kept = {**examples(), name: Example.model_validate_json(told)}
    ordered = {each: kept[each] for each in READY if each in kept}
    text = EXAMPLES.dump_json(ordered, indent=2, exclude_defaults=True).decode()
    FILE.write_text(f"{text}\n", encoding="utf-8")
    examples.cache_clear()


def shortened(answer: Any) -> Any:  # noqa: ANN401 any JSON
    """Of lists that go on and on, the first two."""
    if not isinstance(answer, dict):
        return answer
    fields = cast("dict[str, Any]", answer)
    return {name: _first(value) for name, value in fields.items()}


def _first(value: Any) -> Any:  # noqa: ANN401 any JSON
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return items[:2] if len(items) > MANY else items
