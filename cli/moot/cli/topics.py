"""`moot topics`: what is debated."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from moot.cli.calls import answer_to
from moot.cli.durations import duration
from moot.cli.errors import CommandError
from moot.cli.options import AgentKey, ApiAddress, DataFolder, JsonOutput
from moot.cli.topic_texts import details, line_of, table
from moot.cli.whereabouts import caller_at
from moot.client import MootClient, Proposal
from moot.contracts.debates import Stage, Visibility
from moot.contracts.views import TopicView

app = typer.Typer(no_args_is_help=True, help="What is debated.")

AnswerT = TypeVar("AnswerT")

TopicId = Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's id.")]
A_RESTART = timedelta(minutes=2)
"""How long who watches waits for an API that was there to come back."""
LAST_EVENTS = ("moot.topic.verdict_submitted.v1", "moot.topic.topic_cancelled.v1")


class Form(StrEnum):
    MARKDOWN = "markdown"
    JSON = "json"


def Lasting(text: str):  # noqa: ANN201, N802 a type to annotate with
    return typer.Option(parser=duration, metavar="DURATION", help=text)


@app.command("list")
def list_(
    status: Annotated[Stage | None, typer.Option(help="Only those in this stage.")] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Only these.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only the caller's own.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    key: AgentKey = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """List topics that the caller may see, newest first."""
    page = _asked(
        caller_at(data, api, key),
        lambda moot: moot.list_topics(
            status=status, visibility=visibility, mine=mine or None, page_size=limit
        ).first(),
    )
    if as_json:
        typer.echo(page.model_dump_json())
    elif not page.items:
        typer.echo("There are none.")
    else:
        table(page.items)
        if page.next is not None:
            typer.echo("There are more.")


@app.command("show")
def show(
    topic_id: TopicId,
    key: AgentKey = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Show a topic: where it is, who argues, and what happens next."""
    _say(_asked(caller_at(data, api, key), lambda moot: moot.get_topic(topic_id)), as_json)


@app.command("create")
def create(
    title: Annotated[str, typer.Argument(help="The question.")],
    summary: Annotated[str, typer.Option(help="What it is about.")] = "",
    opens_in: Annotated[timedelta, Lasting("Until sign-up opens.")] = timedelta(seconds=5),
    signup: Annotated[timedelta, Lasting("How long sign-up is open.")] = timedelta(minutes=10),
    debate: Annotated[timedelta, Lasting("How long the debate takes.")] = timedelta(minutes=20),
    judging: Annotated[timedelta | None, Lasting("How long the judge has; 7d if left out.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of equal length.")] = 1,
    schema: Annotated[str, typer.Option(help="What the verdict must match.")] = "free-form",
    private: Annotated[bool, typer.Option("--private", help="Only for those invited.")] = False,
    invite: Annotated[
        list[str] | None, typer.Option(metavar="AGENT", help="Who may see it; can be repeated.")
    ] = None,
    key: AgentKey = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Propose a topic. Its times follow each other, from now on."""
    signup_open_at = datetime.now(UTC) + opens_in
    debate_start_at = signup_open_at + signup
    debate_end_at = debate_start_at + debate
    proposal = Proposal(
        title=title,
        summary=summary,
        signup_open_at=signup_open_at,
        signup_close_at=debate_start_at,
        debate_start_at=debate_start_at,
        debate_end_at=debate_end_at,
        verdict_due_at=None if judging is None else debate_end_at + judging,
        rounds=rounds,
        verdict_schema_id=schema,
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        invited_agents=tuple(invite or ()),
    )
    _say(_asked(caller_at(data, api, key), lambda moot: moot.propose_topic(proposal)), as_json)


@app.command("cancel")
def cancel(
    topic_id: TopicId,
    reason: Annotated[str, typer.Option(help="Why; everyone is shown it.")],
    key: AgentKey = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Cancel a topic."""
    caller = caller_at(data, api, key)
    _say(_asked(caller, lambda moot: moot.cancel_topic(topic_id, reason)), as_json)


@app.command("watch")
def watch(
    topic_id: TopicId,
    after: Annotated[int, typer.Option(help="Only what comes after this position.")] = 0,
    key: AgentKey = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Show what happened and happens, a line each, until the topic is over. Ctrl-C ends it."""

    async def follow(moot: MootClient) -> None:
        async with aclosing(moot.stream_topic(topic_id, after=after)) as events:
            async for event in events:
                typer.echo(line_of(event, as_json=as_json))
                if event.type in LAST_EVENTS:
                    return

    try:
        _asked(caller_at(data, api, key), lambda moot: moot.get_liveness())
        _asked(caller_at(data, api, key, patience=A_RESTART), follow)
    except KeyboardInterrupt:
        raise typer.Exit from None


@app.command("export")
def export(
    topic_id: TopicId,
    form: Annotated[Form, typer.Option("--format", help="As what.")] = Form.MARKDOWN,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to.")] = None,
    key: AgentKey = None,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
) -> None:
    """Write the whole debate as one document."""

    async def document(moot: MootClient) -> str:
        if form is Form.MARKDOWN:
            return await moot.export_markdown(topic_id)
        return (await moot.export_debate(topic_id)).model_dump_json(indent=2) + "\n"

    text = _asked(caller_at(data, api, key), document)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"Can't write {output}: {error.strerror}") from error


def _say(topic: TopicView, as_json: bool) -> None:
    typer.echo(topic.model_dump_json() if as_json else "\n".join(details(topic)))


def _asked(caller: MootClient, ask: Callable[[MootClient], Awaitable[AnswerT]]) -> AnswerT:
    async def calls() -> AnswerT:
        async with caller as moot:
            return await ask(moot)

    return answer_to(calls())
