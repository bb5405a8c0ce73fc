"""A command's calls to the API: a refusal or silence ends the command with one message."""

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from moot.cli.errors import CommandError, SurroundingsError
from moot.cli.tables import one_line
from moot.client import MootClient, MootUnreachableError, ProblemError

AnswerT = TypeVar("AnswerT")

AT_ONCE = timedelta(0)
"""Whoever types a command rather knows now that nobody answers."""
MOST_PLACES = 20


def reached(
    address: str,
    *,
    key: str | None = None,
    admin_key: str | None = None,
    patience: timedelta = AT_ONCE,
) -> MootClient:
    return MootClient.connect(address, agent_key=key, admin_key=admin_key, patience=patience)


def answer_to(calls: Coroutine[Any, Any, AnswerT]) -> AnswerT:
    """Make the calls. Raises CommandError when Moot says no, SurroundingsError when it can't say.

    That is when nobody answers, or when what Moot itself needs is away.
    """
    try:
        return asyncio.run(calls)
    except ProblemError as error:
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise SurroundingsError(f"Moot can't say now: {error.detail} ({error.code})") from error
        raise CommandError("\n".join(_told(error))) from error
    except MootUnreachableError as error:
        raise SurroundingsError(f"Moot doesn't answer: {error}") from error


def _told(error: ProblemError) -> Iterator[str]:
    yield f"Refused: {error.detail} ({error.code})"
    for one in error.errors[:MOST_PLACES]:
        yield f"  {one.pointer or 'all of it'}: {one_line(one.detail)}"
    if len(error.errors) > MOST_PLACES:
        yield f"  and {len(error.errors) - MOST_PLACES} more"
