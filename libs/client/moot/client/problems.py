"""What a call ends with when it has no answer to give."""

import httpx2
from pydantic import ValidationError

from moot.contracts.views import FieldProblem, ProblemView

SHOWN_CHARACTERS = 200


class ProblemError(Exception):
    """Moot said no: an RFC 9457 problem. `code` is what a program acts on; it never changes."""

    def __init__(self, problem: ProblemView, retry_after: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem
        self.retry_after = retry_after
        """Seconds that Moot asked to wait before it is asked again, if it did."""

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def detail(self) -> str:
        return self.problem.detail

    @property
    def errors(self) -> tuple[FieldProblem, ...]:
        """What is wrong with the body or the query, each with its place (a JSON pointer)."""
        return self.problem.errors


class MootUnreachableError(Exception):
    """Nobody answered, or not as Moot answers, for as long as the client had patience."""


def refusal_in(response: httpx2.Response) -> ProblemError | MootUnreachableError:
    """What an answer that isn't a success means."""
    try:
        problem = ProblemView.model_validate_json(response.content)
    except ValidationError:
        shown = response.text[:SHOWN_CHARACTERS]
        return MootUnreachableError(f"{response.status_code} from {response.url}: {shown}")
    return ProblemError(problem, retry_after(response))


def retry_after(response: httpx2.Response) -> float | None:
    """The seconds that `Retry-After` asks for; a date, which Moot never gives, says nothing."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else None
