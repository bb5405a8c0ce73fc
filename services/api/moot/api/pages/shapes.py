"""A JSON Schema in a few words, for a column of a table."""

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup, escape
from pydantic_core import to_json

_COMPONENT: Final = "#/components/schemas/"
_LIMITS: Final = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
    ("minLength", "{} characters or more"),
    ("maxLength", "{} characters or less"),
    ("minItems", "{} or more"),
    ("maxItems", "{} or fewer"),
    ("pattern", "like {}"),
)

Schema = Mapping[str, Any]


def shape(schema: Schema) -> Markup:
    """E.g. `list of TopicView`, with a link to what TopicView is where that is on the page."""
    told = [_kind(schema)]
    told += [escape(text.format(schema[name])) for name, text in _LIMITS if name in schema]
    if "default" in schema:
        told.append(Markup("{} if left out").format(_code(schema["default"])))
    return Markup(", ").join(told)


def _kind(schema: Schema) -> Markup:
    options: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    if "$ref" in schema:
        return _reference(schema["$ref"])
    if "type" not in schema and options:
        return Markup(" or ").join(shape(option) for option in options)
    if "const" in schema:
        return _code(schema["const"])
    if "enum" in schema:
        return Markup(", ").join(_code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(shape(schema.get("items", {})))
    form = Markup(" ({})").format(schema["format"]) if "format" in schema else ""
    return Markup("{}{}").format(schema.get("type", "any JSON"), form)


def _reference(reference: str) -> Markup:
    name = reference.rpartition("/")[2]
    if reference.startswith(_COMPONENT):
        return Markup('<a href="#shape-{}">{}</a>').format(name, name)
    return escape(name)


def _code(value: object) -> Markup:
    return Markup("<code>{}</code>").format(to_json(value).decode())
