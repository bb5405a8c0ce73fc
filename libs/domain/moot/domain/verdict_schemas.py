"""The verdict schemas that ship with Moot (JSON Schema 2020-12), and the check against them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs

from moot.contracts.views import FieldProblem

MOST_PROBLEMS = 1000
LONGEST_DETAIL = 500
"""Characters; what is wrong may be quoted whole."""

_PATTERN_BYTES = 1024 * 1024
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SENTENCE = {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class VerdictSchema:
    """Immutable: a topic is judged by the schema that it was proposed with."""

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


def check(schema: VerdictSchema, verdict: dict[str, Any]) -> tuple[FieldProblem, ...]:
    """Return a problem for every JSON pointer of `verdict` that fails; none means it matches.

    Of more than `MOST_PROBLEMS` the first ones.
    """
    return tuple(
        FieldProblem(pointer=pointer(error.instance_path), detail=error.message[:LONGEST_DETAIL])
        for error in islice(
            _validator(canonical(schema.json_schema)).iter_errors(verdict), MOST_PROBLEMS
        )
    )


def canonical(schema: dict[str, Any]) -> str:
    """Return the one text that the same schema has, however its keys are ordered."""
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def not_a_schema(schema: dict[str, Any]) -> tuple[str, str] | None:
    """Return where and why it is no JSON Schema 2020-12 that verdicts can be held against."""
    try:
        _validator(canonical(schema))
    except jsonschema_rs.ValidationError as error:
        return pointer(error.instance_path), error.message[:LONGEST_DETAIL]
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return "", str(error)[:LONGEST_DETAIL]
    return None


@lru_cache(maxsize=64)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    # This engine of regular expressions takes linear time, and knows no look-around for it.
    patterns = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    return jsonschema_rs.Draft202012Validator(
        json.loads(schema), pattern_options=patterns, offline=True
    )


def pointer(path: list[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
