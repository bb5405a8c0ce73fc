"""What becomes of a command when the API says no, or can't say."""

import pytest

from moot.cli.calls import answer_to
from moot.cli.errors import CommandError, SurroundingsError
from moot.client import MootUnreachableError, ProblemError
from moot.contracts.views import ProblemView


async def fails(error: Exception) -> None:
    raise error


def problem(status: int, code: str) -> ProblemError:
    return ProblemError(
        ProblemView(
            type=f"/problems/{code}",
            title=code,
            status=status,
            detail="because",
            instance="/api",
            code=code,
        )
    )


@pytest.mark.parametrize("status", [401, 404, 409, 429])
def test_who_is_refused_is_told_why(status: int) -> None:
    with pytest.raises(CommandError) as ended:
        answer_to(fails(problem(status, "no")))
    assert (str(ended.value), ended.value.exit_code) == ("Refused: because (no)", 1)


def test_an_api_that_cant_say_is_no_refusal() -> None:
    with pytest.raises(SurroundingsError) as ended:
        answer_to(fails(problem(503, "ops-db-unavailable")))
    assert (str(ended.value), ended.value.exit_code) == (
        "Moot can't say now: because (ops-db-unavailable)",
        3,
    )


def test_nor_is_one_that_doesnt_answer() -> None:
    with pytest.raises(SurroundingsError, match="Moot doesn't answer: nobody there"):
        answer_to(fails(MootUnreachableError("nobody there")))
