"""What all shapes are made of: a class costs next to nothing until a process uses it."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Described(BaseModel):
    """A shape whose fields a JSON schema describes with the docstrings under them.

    pydantic's `use_attribute_docstrings` reads sources wherever a class is made, and its validators
    are made then, too: most of what starting a command or a service took.
    """

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, told in _fields_of(cls):
            if name in properties:
                properties[name].setdefault("description", told)
        return schema


def _fields_of(shape: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Each field that has a docstring, with what it says; of the class itself first."""
    for one in shape.__mro__:
        if one is not Described and issubclass(one, Described):
            yield from _told_in(one.__module__).get(one.__qualname__, {}).items()


@cache
def _told_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """Return the docstrings under the fields of a module's classes."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {one.name: dict(_told(one)) for one in tree.body if isinstance(one, ast.ClassDef)}


def _told(shape: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, told in pairwise(shape.body):
        match field, told:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
            case _:
                pass
