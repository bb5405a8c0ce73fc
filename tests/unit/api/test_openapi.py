"""The OpenAPI document, and the committed one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from moot.api.openapi import document, text
from moot.api.routes import OPERATIONS

ROOT = Path(__file__).parents[3]


def references(place: object) -> Iterator[str]:
    """Of schemas: an example of the catalogue has schemas of its own."""
    match place:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            of = cast("dict[str, object]", place)
            yield from (one for name in of if name != "example" for one in references(of[name]))
        case list():
            yield from (one for item in cast("list[object]", place) for one in references(item))
        case _:
            pass


def test_the_committed_document_is_current() -> None:
    committed = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert committed == text(), "run: python -m moot.api.openapi > docs/openapi.json"


def test_it_is_openapi_3_1_with_every_operation_once() -> None:
    described = document()
    assert described["openapi"] == "3.1.0"
    names = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert len(names) == len(set(names))
    assert {one.name for one in OPERATIONS} <= set(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)


def test_what_it_refers_to_is_there() -> None:
    described = json.loads(text())
    schemas = described["components"]["schemas"]
    found = set(references(described))
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_examples_are_valid() -> None:
    for operation in OPERATIONS:
        if operation.body is not None:
            assert operation.example is not None, operation.name
            TypeAdapter(operation.body).validate_json(json.dumps(operation.example), strict=True)
