"""A command's calls to the API: a refusal or silence ends the command with one message."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from moot.cli.client import MootUnreachableError, ProblemError
from moot.cli.errors import CommandError, SurroundingsError

AnswerT = TypeVar("AnswerT")


def answer_to(calls: Coroutine[Any, Any, AnswerT]) -> AnswerT:
    """Make the calls. Raises CommandError when Moot says no, SurroundingsError when nobody does."""
    try:
        return asyncio.run(calls)
    except ProblemError as error:
        raise CommandError(f"Refused: {error.problem.detail} ({error.problem.code})") from error
    except MootUnreachableError as error:
        raise SurroundingsError(f"Moot doesn't answer: {error}") from error
