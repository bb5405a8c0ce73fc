"""The rows of one stream made anew, in place, by the projection's owner, in its transaction."""

from dataclasses import dataclass

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.projection import Projection

LETTERS = """
SELECT position FROM dead_letters WHERE projection = $1 AND key = $2
"""

STATEMENTS = (LETTERS,)


@dataclass(frozen=True, slots=True)
class Lived:
    """A stream's events that aren't skipped and that this code can read, up to a position."""

    stream: StreamName
    events: list[Recorded]


async def lived(
    projection: Projection, chronicle: Chronicle, key: str, before: int, skipped: set[int]
) -> Lived | None:
    """Read what `key`, a stream's label, has come to; None for what the projection doesn't read."""
    stream = StreamName.parse(f"chronicle.{key.replace('/', '.', 1)}")
    if stream.category not in projection.categories:
        return None
    events: list[Recorded] = []
    for stored in await chronicle.read(stream):
        if stored.position >= before or stored.position in skipped:
            continue
        try:
            events.append(decoded(stored))
        except UndecodableEventError:
            continue  # it was set aside where it was met
    return Lived(stream, events)


async def made_anew(projection: Projection, connection: Connection, found: Lived) -> None:
    """Delete the stream's rows and apply its events again, but for those that are set aside.

    Raises what applying them raises: the rows are as they were then.
    """
    rows = await connection.fetch(LETTERS, projection.name, found.stream.label)
    aside = {row["position"] for row in rows}
    events = [event for event in found.events if event.position not in aside]
    await projection.forget(connection, [found.stream])
    if events:
        await projection.apply(connection, events)
