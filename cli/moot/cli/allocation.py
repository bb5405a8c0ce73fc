"""`moot allocation explain`: draw a topic's camps again, here, and compare."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from moot.cli.calls import answer_to, reached
from moot.cli.errors import CommandError
from moot.cli.options import ApiAddress, DataFolder, JsonOutput
from moot.cli.whereabouts import address_of
from moot.contracts.debates import Signup
from moot.contracts.topic_events import DrawEvidence
from moot.contracts.views import AllocationView
from moot.domain.allocation import DrawCheck, recompute

app = typer.Typer(no_args_is_help=True, help="How a topic's camps were drawn.")


@app.command("explain")
def explain(
    topic_id: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's id.")],
    key: Annotated[
        str | None, typer.Option(envvar="MOOT_AGENT_KEY", help="An agent's, for a private topic.")
    ] = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Draw again from what the allocator revealed, and compare; 1 if anything differs.

    Computed here: the API is asked for what was recorded, not for whether it holds.
    """
    draw = answer_to(_drawn(address_of(data, api), topic_id, key))
    check = recheck(draw)
    holds = check.confirms(draw.camps, draw.backfilled, draw.cancelled_reason)
    if as_json:
        recorded = draw.model_dump(mode="json") | {"verified": holds}
        typer.echo(AllocationView.model_validate(recorded).model_dump_json())
    else:
        typer.echo("\n".join(told(draw, check, holds=holds)))
    if not holds:
        raise typer.Exit(1)


async def _drawn(address: str, topic_id: str, key: str | None) -> AllocationView:
    async with reached(address, key=key) as moot:
        draw = await moot.get_allocation(topic_id)
    if draw is None:
        raise CommandError("The allocator hasn't committed to a draw yet.")
    if draw.secret is None:
        raise CommandError(f"Not drawn yet. It is committed to {draw.commitment}.")
    return draw


def recheck(draw: AllocationView) -> DrawCheck:
    """Draw again from a draw that has been made."""
    if draw.secret is None or draw.seed is None or draw.signups_hash is None:
        raise ValueError("nothing has been drawn yet")
    evidence = DrawEvidence(
        algorithm=draw.algorithm,
        secret=draw.secret,
        seed=draw.seed,
        signups_hash=draw.signups_hash,
    )
    signups = [
        Signup.model_validate({"agent_id": one.agent_id, "willing_camps": one.willing_camps})
        for one in draw.signups
    ]
    return recompute(evidence, signups, draw.commitment)


def told(draw: AllocationView, check: DrawCheck, *, holds: bool) -> Iterator[str]:
    """Say it for people, a line each."""
    yield f"algorithm     {draw.algorithm}{_differs(agrees=check.algorithm_known)}"
    late = ", after somebody had signed up" if draw.commitment_late else ""
    yield f"commitment    {draw.commitment} at {draw.committed_at}{late}"
    yield f"secret        {draw.secret}{_differs(agrees=check.commitment_matches)}"
    yield f"sign-ups      {len(draw.signups)}, in this order:"
    for number, signup in enumerate(draw.signups, start=1):
        yield f"  {number:>4}        {signup.agent_id}: {', '.join(signup.willing_camps)}"
    yield f"their hash    {draw.signups_hash}{_differs(agrees=check.signups_hash_matches)}"
    yield f"seed          {draw.seed}{_differs(agrees=check.seed_matches)}"
    for seat in draw.camps:
        unasked = " (without having volunteered for it)" if seat.camp in draw.backfilled else ""
        yield f"{seat.camp:<13} {seat.agent_id}{unasked}"
    if not draw.camps:
        yield f"cancelled     {draw.cancelled_reason}"
    yield "Drawn again here: the same." if holds else "Drawn again here: NOT the same."


def _differs(*, agrees: bool) -> str:
    return "" if agrees else "  <- doesn't agree with the rest"
