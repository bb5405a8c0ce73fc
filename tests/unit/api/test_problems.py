"""The one table of problems, held against what the domain refuses."""

import ast
from pathlib import Path

import moot.domain
from moot.api.openapi import always
from moot.api.problems import PROBLEMS, Problem, problem_view
from moot.api.routes import OPERATIONS

DOMAIN = Path(moot.domain.__file__ or "").parent


def refusal_codes() -> set[str]:
    """Every code that a `Refused(...)` in the domain has."""
    found: set[str] = set()
    for path in DOMAIN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused":
                code = node.args[0]
                assert isinstance(code, ast.Constant), ast.unparse(node)
                found.add(str(code.value))
    return found


def test_every_refusal_of_the_domain_has_its_status() -> None:
    codes = refusal_codes()
    assert {"topic-not-found", "not-judge", "already-issued"} <= codes
    assert codes - set(PROBLEMS) == set()


def test_statuses_follow_the_rules() -> None:
    for code, explained in PROBLEMS.items():
        if code.endswith("-not-found") or code == "delivery-unknown":
            assert explained.status == 404, code
        if code.endswith(("-too-long", "-too-large")):
            assert explained.status == 413, code
        if code.endswith("-required") and code != "credentials-required":
            assert explained.status == 422, code
    by_status = {
        403: ("not-creator", "not-admin", "not-in-camp", "not-judge", "not-an-agent"),
        409: ("signup-not-open", "debate-not-open", "too-early", "verdict-exists", "not-judging"),
        422: ("content-empty", "times-out-of-order", "verdict-does-not-match-schema"),
    }
    for status, codes in by_status.items():
        assert {PROBLEMS[code].status for code in codes} == {status}


def test_everything_is_explained_in_a_sentence() -> None:
    for code, explained in PROBLEMS.items():
        assert explained.title, code
        assert explained.explanation.endswith("."), code


def test_a_problem_says_what_its_table_says() -> None:
    view = problem_view(Problem("too-early", "wait"), "/api/topics/x/verdict", None)
    assert (view.type, view.status, view.code) == ("/problems/too-early", 409, "too-early")
    assert (view.title, view.detail) == ("Too early", "wait")


def test_operations_name_problems_that_there_are() -> None:
    for operation in OPERATIONS:
        named = (*operation.problems, *always(operation))
        assert set(named) <= set(PROBLEMS), operation.name
