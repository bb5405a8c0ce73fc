"""Topics and their events, for people to read."""

from collections.abc import Iterator, Sequence
from typing import cast

from moot.cli.tables import one_line, show
from moot.cli.when import in_utc
from moot.contracts.views import EventView, TopicView

WIDEST_TEXT = 100


def table(topics: Sequence[TopicView]) -> None:
    show(("topic", "stage", "title", "next", "at"), map(_row, topics), long={"title"})


def _row(topic: TopicView) -> tuple[str, ...]:
    due = topic.next_deadline
    return (
        topic.id,
        topic.status + ("" if topic.visibility == "public" else " (private)"),
        topic.title,
        "" if due is None else due.command,
        "" if due is None else in_utc(due.due_at),
    )


def details(topic: TopicView) -> Iterator[str]:
    yield f"topic      {topic.id}"
    yield f"title      {one_line(topic.title)}"
    yield f"stage      {topic.status}"
    if topic.cancelled_reason is not None:
        yield f"cancelled  {one_line(topic.cancelled_reason)}"
    yield f"visible    {topic.visibility}"
    yield f"creator    {topic.creator_id}"
    yield f"sign-up    {in_utc(topic.signup_open_at)} to {in_utc(topic.signup_close_at)}"
    yield f"debate     {in_utc(topic.debate_start_at)} to {in_utc(topic.debate_end_at)}"
    yield f"verdict    by {in_utc(topic.verdict_due_at)}, as {topic.verdict_schema_id}"
    current = "" if topic.round is None else f", now in round {topic.round.round_no + 1}"
    yield f"rounds     {topic.rounds}{current}"
    for seat in topic.camps:
        yield f"{seat.camp:<10} {seat.agent_id}"
    if topic.next_deadline is not None:
        yield f"next       {topic.next_deadline.command} at {in_utc(topic.next_deadline.due_at)}"
    yield f"position   {topic.position}"


def line_of(event: EventView, *, as_json: bool) -> str:
    if as_json:
        return event.model_dump_json()
    name = event.type.split(".")[-2] if event.type.count(".") > 1 else event.type
    return f"{event.position:>8}  {name:<18} {_told(event.data)}".rstrip()


def _told(data: object) -> str:
    if not isinstance(data, dict):
        return ""
    told = ", ".join(
        f"{name}={value}"
        for name, value in cast("dict[str, object]", data).items()
        if value is not None
    )
    shown = one_line(told)
    return shown if len(shown) <= WIDEST_TEXT else f"{shown[: WIDEST_TEXT - 1]}…"
