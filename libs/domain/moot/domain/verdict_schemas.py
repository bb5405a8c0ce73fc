"""The verdict schemas that ship with Moot (JSON Schema 2020-12), and the check against them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from moot.contracts.views import FieldProblem

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SENTENCE = {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class VerdictSchema:
    id: str
    title: str
    json_schema: dict[str, Any]


def _object(properties: dict[str, Any], *, required: list[str]) -> dict[str, Any]:
    return {
        "$schema": _DRAFT,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_BINARY = _object(
    {
        "winner": {"enum": ["pro", "con"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    required=["winner", "confidence"],
)
_CLAIM_RESOLUTION = _object(
    {
        "claims": {
            "type": "array",
            "minItems": 1,
            "items": _object(
                {
                    "claim": _SENTENCE,
                    "resolution": {"enum": ["upheld", "rejected", "unresolved"]},
                    "note": {"type": "string"},
                },
                required=["claim", "resolution"],
            ),
        }
    },
    required=["claims"],
)
_POLICY_RECOMMENDATION = _object(
    {
        "recommendation": _SENTENCE,
        "conditions": {"type": "array", "items": _SENTENCE},
        "dissent": {"type": "string"},
    },
    required=["recommendation", "conditions", "dissent"],
)

BUILT_IN: Mapping[str, VerdictSchema] = {
    schema.id: schema
    for schema in (
        VerdictSchema("binary", "One camp wins, with a confidence", _BINARY),
        VerdictSchema("claim-resolution", "Each claim is settled by itself", _CLAIM_RESOLUTION),
        VerdictSchema(
            "policy-recommendation", "A recommendation with conditions", _POLICY_RECOMMENDATION
        ),
        VerdictSchema("free-form", "Any object", {"$schema": _DRAFT, "type": "object"}),
    )
}


def check(schema_id: str, verdict: dict[str, Any]) -> tuple[FieldProblem, ...]:
    """Return a problem for every JSON pointer of `verdict` that fails; none means it matches."""
    return tuple(
        FieldProblem(pointer=_pointer(error.instance_path), detail=error.message)
        for error in _validator(schema_id).iter_errors(verdict)
    )


@cache
def _validator(schema_id: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(BUILT_IN[schema_id].json_schema)


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
