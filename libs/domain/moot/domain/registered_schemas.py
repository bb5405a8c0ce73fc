"""Verdict schemas that admins register: events, fold, decide. A schema never changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from moot.contracts.subjects import Category
from moot.contracts.verdict_schemas import RegisterVerdictSchema, VerdictSchemaRegistered
from moot.contracts.views import FieldProblem
from moot.domain.refusal import Refused
from moot.domain.verdict_schemas import BUILT_IN, canonical, not_a_schema

category: Category = "operation"

MOST_SCHEMAS = 200
MAX_SCHEMA_BYTES = 32 * 1024
MAX_EXPANDED = 10_000
"""Objects in a schema, each counted as often as `$ref` leads to it: what a check can cost."""

_REFUSED_KEYWORDS = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary"}
)
_DEFINED = "#/$defs/"


@dataclass(frozen=True, slots=True)
class Registry:
    """By id, in the order of registering."""

    schemas: Mapping[str, VerdictSchemaRegistered] = field(
        default_factory=dict[str, VerdictSchemaRegistered]
    )


initial = Registry()


def evolve(state: Registry, event: VerdictSchemaRegistered) -> Registry:
    return Registry({**state.schemas, event.schema_id: event})


def decide(
    state: Registry, command: RegisterVerdictSchema, now: datetime
) -> list[VerdictSchemaRegistered] | Refused:
    """Return what is registered.

    Refusals: `not-admin`, `verdict-schema-exists`, `invalid-verdict-schema`,
    `too-many-verdict-schemas`.
    """
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin registers a verdict schema")
    there = state.schemas.get(command.schema_id)
    if there is not None and _same(there, command):
        return []
    if there is not None or command.schema_id in BUILT_IN:
        return Refused("verdict-schema-exists", "another schema has this id, and never changes")
    if len(state.schemas) >= MOST_SCHEMAS:
        return Refused("too-many-verdict-schemas", f"there are {MOST_SCHEMAS}, which is the limit")
    problems = tuple(_problems(command.json_schema))
    if problems:
        return Refused("invalid-verdict-schema", "no verdict can be held against it", problems)
    return [
        VerdictSchemaRegistered(
            schema_id=command.schema_id,
            title=command.title,
            json_schema=command.json_schema,
            reason=command.reason,
            registered_by=command.by.auth_id,
            registered_at=now,
        )
    ]


def _same(there: VerdictSchemaRegistered, wanted: RegisterVerdictSchema) -> bool:
    same_schema = canonical(there.json_schema) == canonical(wanted.json_schema)
    return same_schema and there.title == wanted.title


def _problems(schema: dict[str, Any]) -> Iterator[FieldProblem]:
    """Yield what is wrong with a schema: cheap checks before those that could be made costly."""
    if len(canonical(schema).encode()) > MAX_SCHEMA_BYTES:
        yield _problem("", f"a schema has at most {MAX_SCHEMA_BYTES} bytes")
        return
    wrong = list(_wrong_keywords(schema, ""))
    yield from wrong
    if wrong:
        return
    if _expanded(schema) > MAX_EXPANDED:
        yield _problem("", f"with what $ref leads to it has more than {MAX_EXPANDED} parts")
        return
    if (why := not_a_schema(schema)) is not None:
        yield _problem(*why)


def _wrong_keywords(value: object, pointer: str) -> Iterator[FieldProblem]:
    """Yield what a schema of ours doesn't have: other dialects, and references out of `$defs`."""
    if isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _wrong_keywords(item, f"{pointer}/{index}")
    if not isinstance(value, dict):
        return
    for key, inner in cast("dict[str, object]", value).items():
        at = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        if key in _REFUSED_KEYWORDS and isinstance(inner, str | bool):
            yield _problem(at, f"{key} isn't allowed")
        if key == "$schema" and inner != "https://json-schema.org/draft/2020-12/schema":
            yield _problem(at, "a schema is JSON Schema 2020-12")
        if key == "$ref" and isinstance(inner, str) and not _is_defined(inner):
            yield _problem(at, "$ref leads to `#/$defs/NAME` of the same schema only")
        yield from _wrong_keywords(inner, at)


def _is_defined(reference: str) -> bool:
    name = reference.removeprefix(_DEFINED)
    return reference.startswith(_DEFINED) and name.replace("_", "").replace("-", "").isalnum()


def _expanded(schema: dict[str, Any]) -> int:
    """Count the schema's parts as they are checked; too many where a reference leads in a ring."""
    defined = schema.get("$defs")
    definitions = cast("dict[str, object]", defined) if isinstance(defined, dict) else {}
    known: dict[str, int] = {}

    def size(value: object, above: frozenset[str]) -> int:
        if isinstance(value, list):
            return sum(size(item, above) for item in cast("list[object]", value))
        if not isinstance(value, dict):
            return 0
        inner = cast("dict[str, object]", value)
        total = 1 + sum(size(item, above) for key, item in inner.items() if key != "$ref")
        reference = inner.get("$ref")
        if isinstance(reference, str):
            total += referred(reference.removeprefix(_DEFINED), above)
        return min(total, MAX_EXPANDED + 1)

    def referred(name: str, above: frozenset[str]) -> int:
        if name in above:
            return MAX_EXPANDED + 1
        if name not in known:
            known[name] = size(definitions.get(name), above | {name})
        return known[name]

    return size(schema, frozenset())


def _problem(pointer: str, detail: str) -> FieldProblem:
    return FieldProblem(pointer=f"/json_schema{pointer}", detail=detail)
