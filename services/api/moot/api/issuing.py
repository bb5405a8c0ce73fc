"""Issuing and revoking keys over HTTP.

The answer shows a secret that is nowhere else: a repeat is refused, and nothing keeps it.
"""

from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from moot.api.exchange import Api, Asked, CommandT, StateT, TagOf, answer_write, obey
from moot.api.problems import Problem
from moot.contracts.shape import Frozen, Text
from moot.runtime.deciding import Decider, Outcome

KNOWN_SECONDS = 2.0
"""How long an answer waits for the replicas to know of a key or its end, at most."""


class RevokeQuery(Frozen):
    reason: Text = Field(default="revoked by an admin", max_length=1000)


async def obey_once(
    api: Api,
    asked: Asked,
    decider: Decider[StateT, CommandT],
    stream_id: str,
    command: CommandT,
    tag_of: TagOf[StateT] | None = None,
) -> Outcome[StateT]:
    """As `obey`; a repeat raises Problem `already-issued`, since it asks for another secret."""
    try:
        return await obey(api, asked, decider, stream_id, command, tag_of)
    except Problem as problem:
        if problem.code == "idempotency-key-reused":
            raise Problem("already-issued") from None
        raise


async def until_known(api: Api, projection: str, position: int) -> None:
    """Wait until this replica knows of a key or its end, and the others can from the Ops DB.

    Where the projection is behind, they know of it from the Chronicle, as this one does.
    """
    await api.waiter.wait((projection,), position, KNOWN_SECONDS)
    await api.callers.news.reached(position, KNOWN_SECONDS)
    api.callers.forget()


def answer_once(view: BaseModel, outcome: Outcome[Any], location: str) -> Response:
    response = answer_write(view, outcome, 201)
    response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store"
    return response
