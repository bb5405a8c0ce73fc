"""The published vectors, against our code and against a second, deliberately naive one."""

import hashlib
import hmac
import json
from collections.abc import Callable
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pytest

from moot.contracts.debates import Signup
from moot.domain.allocation import (
    Allocation,
    Shortfall,
    allocate,
    count_assignments,
    nth_assignment,
)
from moot.domain.draw import ALGORITHM, commitment, draw_secret, draw_seed, signups_hash

ROOT = Path(__file__).parents[3]
CAMPS: tuple[str, ...] = ("pro", "con", "judge")


class ListedSignup(TypedDict):
    agent_id: str
    willing_camps: list[str]


class Vector(TypedDict):
    name: str
    draw_key: str
    topic_id: str
    secret: str
    commitment: str
    signups: list[ListedSignup]
    signups_hash: str
    seed: str
    assignments: str
    rank: str
    volunteers: dict[str, str]
    camps: NotRequired[dict[str, str]]
    backfilled: NotRequired[list[str]]
    reason: NotRequired[str]


def published() -> dict[str, Any]:
    return json.loads((ROOT / "tests/data/allocation_vectors.json").read_text("utf-8"))


def vectors() -> list[Vector]:
    return published()["allocations"]


def the_vector(name: str) -> Vector:
    return next(vector for vector in vectors() if vector["name"] == name)


def name_of(vector: Vector) -> str:
    return vector["name"]


def luck(seed: bytes) -> Callable[[int], int]:
    blocks = (
        int.from_bytes(hashlib.sha256(seed + bytes(7) + bytes([i])).digest(), "big")
        for i in range(256)
    )
    return lambda n: next(block for block in blocks if block < 2**256 // n * n) % n


def fullest(listed: list[ListedSignup]) -> list[dict[str, str]]:
    willing = {entry["agent_id"]: entry["willing_camps"] for entry in listed}
    for size in (3, 2, 1):
        found = [
            dict(zip(camps, agents, strict=True))
            for camps in combinations(CAMPS, size)
            for agents in permutations(willing, size)
            if all(camp in willing[agent] for camp, agent in zip(camps, agents, strict=True))
        ]
        if found:
            return found
    return [{}]


def naive_draw(draw_key: str, topic_id: str, listed: list[ListedSignup]) -> dict[str, Any]:
    """Compute everything a vector says of its three inputs, but a shortfall's reason."""
    secret = hmac.new(bytes.fromhex(draw_key), topic_id.encode(), hashlib.sha256).digest()
    canonical = json.dumps(listed, separators=(",", ":"), sort_keys=True).encode()
    hashed = hashlib.sha256(canonical).digest()
    seed = hashlib.sha256(secret + hashed).digest()
    below = luck(seed)
    assignments = fullest(listed)
    rank = below(len(assignments))
    volunteers = assignments[rank]
    computed: dict[str, Any] = {
        "secret": secret.hex(),
        "commitment": hashlib.sha256(secret).hexdigest(),
        "signups_hash": hashed.hex(),
        "seed": seed.hex(),
        "assignments": str(len(assignments)),
        "rank": str(rank),
        "volunteers": volunteers,
    }
    missing = [camp for camp in CAMPS if camp not in volunteers]
    left = [entry["agent_id"] for entry in listed if entry["agent_id"] not in volunteers.values()]
    if len(left) >= len(missing):
        backfill = {camp: left.pop(below(len(left))) for camp in missing}
        seated = volunteers | backfill
        computed |= {"camps": {camp: seated[camp] for camp in CAMPS}, "backfilled": missing}
    return computed


@pytest.mark.parametrize("vector", vectors(), ids=name_of)
def test_a_naive_reading_of_the_specification_gives_the_vector(vector: Vector) -> None:
    said = {
        name: value
        for name, value in vector.items()
        if name not in {"name", "draw_key", "topic_id", "signups", "reason"}
    }
    assert naive_draw(vector["draw_key"], vector["topic_id"], vector["signups"]) == said


@pytest.mark.parametrize("vector", vectors(), ids=name_of)
def test_our_draw_gives_the_vector(vector: Vector) -> None:
    secret = draw_secret(bytes.fromhex(vector["draw_key"]), vector["topic_id"])
    signups = [Signup.model_validate(entry) for entry in vector["signups"]]
    assert secret.hex() == vector["secret"]
    assert commitment(secret) == vector["commitment"]
    assert signups_hash(signups).hex() == vector["signups_hash"]
    assert draw_seed(secret, signups).hex() == vector["seed"]
    assert str(count_assignments(signups)) == vector["assignments"]
    places = nth_assignment(signups, int(vector["rank"]))
    assert {camp: signups[place].agent_id for camp, place in places.items()} == vector["volunteers"]


@pytest.mark.parametrize("vector", vectors(), ids=name_of)
def test_our_outcome_is_the_vectors(vector: Vector) -> None:
    signups = [Signup.model_validate(entry) for entry in vector["signups"]]
    match allocate(signups, bytes.fromhex(vector["seed"])):
        case Allocation(camps=camps, backfilled=backfilled):
            assert {seat.camp: seat.agent_id for seat in camps} == vector.get("camps")
            assert list(backfilled) == vector.get("backfilled")
        case Shortfall(reason=reason, filled=filled):
            assert "camps" not in vector
            assert reason == vector.get("reason")
            assert filled == len(vector["volunteers"])


def test_the_vectors_are_of_this_algorithm() -> None:
    assert published()["algorithm"] == ALGORITHM


def test_the_worked_example_in_the_docs_is_a_vector() -> None:
    page = (ROOT / "docs/allocation.md").read_text("utf-8")
    vector = the_vector("backfill of two camps")
    canonical = json.dumps(vector["signups"], separators=(",", ":"))
    assert canonical in page
    for name in ("draw_key", "topic_id", "secret", "commitment", "signups_hash", "seed"):
        assert f"{name:<13} {vector[name]}" in page


def test_the_docs_list_reasons_that_are_given() -> None:
    page = (ROOT / "docs/allocation.md").read_text("utf-8")
    listed = {line for line in page.splitlines() if line.startswith("insufficient signups:")}
    kinds = [kind for size in (1, 2, 3) for kind in combinations(CAMPS, size)]
    few = [list(wishes) for size in (0, 1, 2) for wishes in product(kinds, repeat=size)]
    outcomes = [
        allocate(
            [
                Signup.model_validate({"agent_id": f"agent-{n}", "willing_camps": kind})
                for n, kind in enumerate(wishes)
            ],
            bytes([seed]),
        )
        for wishes in few
        for seed in range(10)
    ]
    given = {outcome.reason for outcome in outcomes if isinstance(outcome, Shortfall)}
    assert len(listed) == 7
    assert listed <= given
