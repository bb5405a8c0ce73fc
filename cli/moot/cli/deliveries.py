"""`moot deliveries`: announcements on their way, and those that were given up sent once more."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli import tables
from moot.cli.errors import CommandError
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.when import in_utc
from moot.cli.whereabouts import servers_of
from moot.contracts.deliveries import RetryDelivery
from moot.contracts.ids import CommandId, EventId, is_hex_id
from moot.domain import delivery

if TYPE_CHECKING:
    from moot.cli.operating import Operator

app = typer.Typer(no_args_is_help=True, help="Announcements to Fabric and to webhooks.")

# An error is named by the receiver's status, or by a part of what is recorded of it.
FIND = """
SELECT
    queue_id, event_id, topic_id, endpoint, event_type, status, attempts, last_status, last_error,
    requested_at, next_attempt_at
FROM announcements
WHERE
    ($1::uuid IS NULL OR topic_id = $1::uuid)
    AND ($2::text IS NULL OR status = $2)
    AND (
        $3::text IS NULL OR last_status::text = $3
        OR position(lower($3) IN lower(coalesce(last_error, ''))) > 0
    )
ORDER BY requested_position DESC
LIMIT $4
"""

SHOW = """
SELECT
    queue_id, event_id, topic_id, endpoint, event_type, status, attempts, last_status, last_error,
    requested_at, next_attempt_at
FROM announcements
WHERE queue_id = $1::uuid AND event_id = $2::uuid
"""

HISTORY = """
SELECT outcome, attempt, status, error, answer, duration_ms, at, next_attempt_at
FROM delivery_attempts
WHERE queue_id = $1::uuid AND event_id = $2::uuid
ORDER BY position
"""

STATEMENTS = (FIND, SHOW, HISTORY)

MOST_RETRIED = 100_000

Id = Annotated[str, typer.Argument(metavar="ID", help="`<queue id>/<event id>`, as `list` has it.")]
OneId = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="`<queue id>/<event id>`; else several.")
]
Topic = Annotated[str | None, typer.Option(metavar="ID", help="Only of this topic.")]
Error = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only with this status, or this in its last error."),
]


@dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    topic_id: str
    endpoint: str
    event_type: str
    status: str
    attempts: int
    last_status: int | None
    last_error: str | None
    requested_at: str
    next_attempt_at: str | None


@dataclass(frozen=True, slots=True)
class Retried:
    """`refused`: by id, why; `errors`: how many there are of each."""

    dry_run: bool
    retried: tuple[str, ...]
    refused: dict[str, str]
    errors: dict[str, int]


@app.command("list")
def list_(
    topic: Topic = None,
    status: Annotated[
        str | None, typer.Option(help="requested, retrying, delivered or failed.")
    ] = None,
    error: Error = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Show deliveries, the newest first."""
    from moot.cli.operating import operate  # noqa: PLC0415 - asyncpg is slow to import

    found = operate(
        servers_of(data), lambda operator: _found(operator, topic, status, error, limit)
    )
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    if not found:
        typer.echo("There are none.")
        return
    tables.show(
        ("id", "event", "to", "status", "attempts", "last error", "next attempt"),
        map(_row, found),
        long={"to", "last error"},
    )


def _row(one: Delivery) -> tuple[str, ...]:
    what = (one.event_type.split(".")[2], one.endpoint, one.status, str(one.attempts))
    return (one.id, *what, one.last_error or "", one.next_attempt_at or "")


@app.command("show")
def show(delivery_id: Id, data: DataFolder = Path(".moot"), as_json: JsonOutput = False) -> None:
    """Show one of them, with each attempt."""
    from moot.cli.operating import operate  # noqa: PLC0415 - as above

    queue_id, event_id = _parts(delivery_id)

    async def work(operator: "Operator") -> tuple[Delivery, list[dict[str, Any]]]:
        row = await operator.pool.fetchrow(SHOW, queue_id, event_id)
        if row is None:
            raise CommandError(f"There is no delivery {delivery_id}.")
        history = await operator.pool.fetch(HISTORY, queue_id, event_id)
        return _of(row), [_attempt(attempt) for attempt in history]

    found, history = operate(servers_of(data), work)
    if as_json:
        typer.echo(json.dumps({**asdict(found), "history": history}))
        return
    for name, value in asdict(found).items():
        typer.echo(f"{name:<16} {'' if value is None else tables.one_line(str(value))}")
    tables.show(
        ("at", "outcome", "attempt", "status", "ms", "error", "answer", "next attempt"),
        (["" if one[name] is None else str(one[name]) for name in _COLUMNS] for one in history),
        long={"error", "answer"},
    )


@app.command("retry")
def retry(
    delivery_id: OneId = None,
    error: Error = None,
    topic: Topic = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that was given up.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be.")] = False,
    reason: Annotated[str, typer.Option(help="Why now; it is recorded.")] = "",
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Send what was given up once more, with the key it always had."""
    from moot.cli.operating import operate  # noqa: PLC0415 - as above

    if (delivery_id is not None) == bool(error or topic or every):
        raise CommandError("Name one delivery, or choose several by --error, --topic or --all.")

    async def work(operator: "Operator") -> Retried:
        if delivery_id is not None:
            row = await operator.pool.fetchrow(SHOW, *_parts(delivery_id))
            if row is None:
                raise CommandError(f"There is no delivery {delivery_id}.")
            chosen: Sequence[Delivery] = [_of(row)]
        else:
            chosen = (await _found(operator, topic, "failed", error, MOST_RETRIED))[::-1]
        return await _retried(operator, chosen, reason, dry_run=dry_run)

    done = operate(servers_of(data), work)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        _tell(done)
    if done.refused:
        raise CommandError(f"{len(done.refused)} refused: {', '.join(set(done.refused.values()))}.")


async def _retried(
    operator: "Operator", chosen: Sequence[Delivery], reason: str, *, dry_run: bool
) -> Retried:
    """Retry them in the order in which they were requested first."""
    from moot.runtime.deciding import CommandContext, Outcome  # noqa: PLC0415 - as above
    from moot.runtime.luck import new_id  # noqa: PLC0415 - as above

    retried: list[str] = []
    refused: dict[str, str] = {}
    for one in chosen if not dry_run else ():
        queue_id, event_id = _parts(one.id)
        command = RetryDelivery(by=operator.by, event_id=EventId(event_id), reason=reason)
        command_id = CommandId(new_id())
        context = CommandContext(command_id, operator.by.auth_id, command_id)
        outcome = await operator.dispatcher.dispatch(delivery, queue_id, command, context)
        if isinstance(outcome, Outcome):
            retried.append(one.id)
        else:
            refused[one.id] = outcome.code
    if dry_run:
        retried = [one.id for one in chosen if one.status == "failed"]
    errors = Counter(one.last_error or str(one.last_status) for one in chosen)
    return Retried(dry_run, tuple(retried), refused, dict(errors))


def _tell(done: Retried) -> None:
    for error, count in sorted(done.errors.items(), key=lambda pair: -pair[1]):
        typer.echo(f"{count:>6}  {error}")
    would = "would be retried" if done.dry_run else "are sent again"
    typer.echo(f"{len(done.retried)} {would}.")


async def _found(
    operator: "Operator", topic: str | None, status: str | None, error: str | None, limit: int
) -> list[Delivery]:
    if topic is not None and not is_hex_id(topic):
        raise CommandError(f"{topic!r} is no topic's id.")
    return [_of(row) for row in await operator.pool.fetch(FIND, topic, status, error, limit)]


def _parts(delivery_id: str) -> tuple[str, str]:
    queue_id, _, event_id = delivery_id.partition("/")
    if not is_hex_id(queue_id) or not is_hex_id(event_id):
        raise CommandError(f"{delivery_id!r} is no delivery's id; `moot deliveries list` has them.")
    return queue_id, event_id


_COLUMNS = (
    "at",
    "outcome",
    "attempt",
    "status",
    "duration_ms",
    "error",
    "answer",
    "next_attempt_at",
)


def _attempt(row: Any) -> dict[str, Any]:  # noqa: ANN401 asyncpg's Record, which isn't imported here
    shown = {name: row[name] for name in _COLUMNS}
    shown["at"] = in_utc(row["at"])
    shown["next_attempt_at"] = row["next_attempt_at"] and in_utc(row["next_attempt_at"])
    return shown


def _of(row: Any) -> Delivery:  # noqa: ANN401 as above
    to = json.loads(row["endpoint"])
    where = to.get("webhook_id") or f"{to['guild_base_url']} {to['channel_id']}"
    return Delivery(
        id=f"{row['queue_id'].hex}/{row['event_id'].hex}",
        topic_id=row["topic_id"].hex,
        endpoint=f"{to['kind']} {where}",
        event_type=row["event_type"],
        status=row["status"],
        attempts=row["attempts"],
        last_status=row["last_status"],
        last_error=row["last_error"],
        requested_at=in_utc(row["requested_at"]),
        next_attempt_at=row["next_attempt_at"] and in_utc(row["next_attempt_at"]),
    )
