"""Letting another generation of a projection serve: when that is refused, and the switch itself.

Nobody who reads sees an error, a gap or, in one statement, an older position than before.
"""

import asyncio
from collections.abc import Sequence

import structlog

from moot.projector.building import BuildError, position_of
from moot.projector.generations import LOCK, Generation, Generations, generations, show
from moot.projector.plain.chronicle_fold import ChronicleFold
from moot.projector.plain.comparing import all_differences
from moot.projector.plain.comparison import Comparison
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection, Pool, is_outage

SWITCH_WITHIN_SECONDS = 30.0
TAIL_SECONDS = 0.5
"""How long the serving generation's owner is held up while the other one comes up to it."""

LOOK_SECONDS = 0.005
PAUSE_SECONDS = 0.2
MOST_SHOWN = 5

# Readers wait for as long as the switch waits for one of them: so no longer than that.
IMPATIENT = "SET LOCAL lock_timeout TO '100ms'"

log = structlog.stdlib.get_logger()


class PromotionRefusedError(BuildError):
    """The generation isn't as good as the one that serves."""


class _NotYetError(Exception):
    """It isn't up with the one that serves."""


async def compared(
    pool: Pool, chronicle: Chronicle, fold: ChronicleFold, generation: Generation
) -> Comparison:
    """Compare its tables with `fold`, which is behind them, as they are now.

    Raises PromotionRefusedError where they differ.
    """
    # Before there is a snapshot, which would keep PostgreSQL from clearing up meanwhile.
    await fold.advance(chronicle, await position_of(pool, generation))
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        until = await position_of(connection, generation)
        found = await all_differences(connection, chronicle, fold, generation.schema, until)
    if not found.equal:
        shown = "; ".join(each.told for each in found.differences[:MOST_SHOWN])
        raise PromotionRefusedError(
            f"{generation.schema} at {until} isn't what the Chronicle says: hash {found.hash}"
            f" instead of {found.expected_hash}; {shown}"
        )
    return found


async def check_dead_letters(pool: Pool, generation: Generation) -> None:
    """Raise PromotionRefusedError if it set aside what the serving generation could apply."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        found = await generations(connection, generation.projection)
        refused = await _its_own_letters(connection, generation, found.serving)
    if refused:
        raise PromotionRefusedError(
            f"{generation.schema} has set aside what the serving generation has applied:"
            f" {', '.join(map(str, refused[:MOST_SHOWN]))}"
        )


async def check_not_paused(pool: Pool, projection: str) -> None:
    """Raise PromotionRefusedError where an operator keeps it where it is: copies go further."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        serving = (await generations(connection, projection)).serving
        statement = f'SELECT state FROM "{serving.schema}".projector_checkpoint'  # noqa: S608 our own names
        if await connection.fetchval(statement) == "paused":
            raise PromotionRefusedError(f"{projection} is paused: resume it first")


async def _its_own_letters(
    connection: Connection, generation: Generation, serving: Generation
) -> Sequence[int]:
    statement = f"""
        SELECT position FROM "{generation.schema}".dead_letters
        WHERE position <= (SELECT position FROM "{serving.schema}".projector_checkpoint)
        EXCEPT SELECT position FROM "{serving.schema}".dead_letters
        ORDER BY position
    """  # noqa: S608 our own names
    return [row["position"] for row in await connection.fetch(statement)]


async def switch(pool: Pool, generation: Generation, *, accept_lower: bool = False) -> int:
    """Let it serve; return its position then. It is being kept up with the Chronicle meanwhile.

    With `accept_lower` it may be behind the serving one, whose Chronicle was another. Raises
    BuildError when it doesn't come up with that, or readers never let go.
    """
    deadline = asyncio.get_running_loop().time() + SWITCH_WITHIN_SECONDS
    while True:
        try:
            position = await _switched(pool, generation, accept_lower=accept_lower)
        except Exception as error:
            if not isinstance(error, _NotYetError) and not is_outage(error):
                raise
            if asyncio.get_running_loop().time() > deadline:
                raise PromotionRefusedError(
                    f"{generation.schema} couldn't be switched to: {error}"
                ) from error
            log.info("switch_tried_again", schema=generation.schema, reason=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            log.warning("generation_promoted", schema=generation.schema, position=position)
            return position


async def _switched(pool: Pool, generation: Generation, *, accept_lower: bool) -> int:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(IMPATIENT)
        await connection.execute(LOCK)
        found = await generations(connection, generation.projection)
        if found.serving.number == generation.number:
            return await position_of(connection, generation)
        before = await _held(connection, found.serving)
        if not accept_lower:
            await _come_up(connection, generation, before)
        position = await _held(connection, generation)
        await _change_owners(connection, found, generation)
        await show(connection, generation, position, "-" if position < before else "")
    return position


async def _held(connection: Connection, generation: Generation) -> int:
    """Keep the checkpoint where it is until the transaction ends; return where."""
    statement = f'SELECT position FROM "{generation.schema}".projector_checkpoint FOR UPDATE'  # noqa: S608 our own names
    return await connection.fetchval(statement)


async def _come_up(connection: Connection, generation: Generation, position: int) -> None:
    deadline = asyncio.get_running_loop().time() + TAIL_SECONDS
    while (now := await position_of(connection, generation)) < position:
        if asyncio.get_running_loop().time() > deadline:
            raise _NotYetError(f"it is at {now}, the serving generation at {position}")
        await asyncio.sleep(LOOK_SECONDS)


async def _change_owners(connection: Connection, found: Generations, to: Generation) -> None:
    """Fence the owners of both; the projector takes the one that serves from now on."""
    for generation, state in ((found.serving, "rebuilding"), (to, "live")):
        await connection.execute(
            f"""
            UPDATE "{generation.schema}".projector_checkpoint
            SET epoch = epoch + 1, owner = NULL, lease_until = NULL, state = $1, error = NULL,
                updated_at = clock_timestamp()
            """,  # noqa: S608 our own names
            state,
        )
