"""What an admin may register for verdicts to be held against, and that it never changes."""

from typing import Any

import pytest

from moot.contracts.debates import ADMIN, Caller
from moot.contracts.verdict_schemas import RegisterVerdictSchema
from moot.domain import registered_schemas
from moot.domain.refusal import Refused
from moot.domain.registered_schemas import MAX_SCHEMA_BYTES, MOST_SCHEMAS, Registry
from moot.domain.verdict_schemas import BUILT_IN, VerdictSchema, check
from tests.support.topics import NOON

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"euros": {"minimum": 1}}}
REGISTER = RegisterVerdictSchema(by=ADMIN, schema_id="grant", title="A sum", json_schema=SCHEMA)
DOUBLING: dict[str, Any] = {
    f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
    for n in range(40)
}


def asking(**changes: object) -> RegisterVerdictSchema:
    return REGISTER.model_copy(update=changes)


def after(*commands: RegisterVerdictSchema) -> Registry:
    state = registered_schemas.initial
    for command in commands:
        decision = registered_schemas.decide(state, command, NOON)
        assert isinstance(decision, list)
        for event in decision:
            state = registered_schemas.evolve(state, event)
    return state


def refusal_of(command: RegisterVerdictSchema, state: Registry | None = None) -> Refused:
    decision = registered_schemas.decide(state or registered_schemas.initial, command, NOON)
    assert isinstance(decision, Refused), decision
    return decision


def test_a_schema_is_registered_once() -> None:
    state = after(REGISTER)
    assert state.schemas["grant"].json_schema == SCHEMA
    assert registered_schemas.decide(state, REGISTER, NOON) == []
    assert registered_schemas.decide(state, asking(reason="again"), NOON) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Another"},
        {"json_schema": {}},
        # Equal in Python, and not the same.
        {"json_schema": {"type": "object", "properties": {"euros": {"minimum": 1.0}}}},
    ],
    ids=repr,
)
def test_what_is_registered_never_changes(changes: dict[str, Any]) -> None:
    refused = refusal_of(asking(**changes), after(REGISTER))
    assert refused.code == "verdict-schema-exists"


@pytest.mark.parametrize("schema_id", BUILT_IN)
def test_what_ships_is_never_replaced(schema_id: str) -> None:
    assert refusal_of(asking(schema_id=schema_id)).code == "verdict-schema-exists"


def test_only_admins_register_and_not_without_end() -> None:
    assert refusal_of(asking(by=Caller.agent("ann"))).code == "not-admin"
    full = after(*(asking(schema_id=f"s{n}") for n in range(MOST_SCHEMAS)))
    assert refusal_of(REGISTER, full).code == "too-many-verdict-schemas"


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "nonsense"}, "/type"),
        ({"required": "euros"}, "/required"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"properties": {"a/b": {"$ref": "https://example.org/s"}}}, "/properties/a~1b/$ref"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "/items/$ref"),
        ({"$ref": "#"}, "/$ref"),
        ({"$id": "https://example.org/s"}, "/$id"),
        ({"$dynamicRef": "#meta"}, "/$dynamicRef"),
        ({"$ref": "#/$defs/absent"}, ""),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}, ""),
        ({"$defs": {**DOUBLING, "d40": {}}, "$ref": "#/$defs/d0"}, ""),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": "(a{1000}){1000}"}}}, "/properties/a/pattern"),
        ({"title": "x" * MAX_SCHEMA_BYTES}, ""),
    ],
)
def test_what_no_verdict_can_be_held_against_is_refused(
    schema: dict[str, Any], pointer: str
) -> None:
    refused = refusal_of(asking(json_schema=schema))
    assert refused.code == "invalid-verdict-schema"
    assert [problem.pointer for problem in refused.errors] == [f"/json_schema{pointer}"]


def test_references_to_its_own_definitions_are_followed() -> None:
    schema = {"$defs": {"sum": {"minimum": 0}}, "properties": {"euros": {"$ref": "#/$defs/sum"}}}
    after(asking(json_schema=schema))
    registered = VerdictSchema("grant", "A sum", schema)
    assert check(registered, {"euros": 1}) == ()
    assert [problem.pointer for problem in check(registered, {"euros": -1})] == ["/euros"]


def test_no_pattern_takes_longer_than_its_text_is_long() -> None:
    """Where backtracking would take longer than anybody waits, this takes milliseconds."""
    schema = VerdictSchema("s", "s", {"properties": {"a": {"pattern": "^(a+)+$"}}})
    problems = check(schema, {"a": "a" * 100_000 + "b"})
    assert [problem.pointer for problem in problems] == ["/a"]
    assert len(problems[0].detail) <= 500
