"""`moot seed`: agents with keys, and topics for them to debate."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from moot.cli.calls import answer_to, reached
from moot.cli.options import ApiAddress, DataFolder, JsonOutput
from moot.cli.whereabouts import api_of
from moot.client import ProblemError, Proposal

AGENTS = ("ada", "grace", "hypatia", "lovelace", "turing")
HAS_A_KEY = "already-issued"

TOPICS = (
    ("Should every city close its centre to cars?", "A question of air, trade and habit."),
    ("Is a proof that only a machine can read a proof?", "What do we want from a proof?"),
    ("Should museums return what they were not given?", "Whose is a thing, and since when?"),
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """Agents with their keys, shown this once, and the ids of the topics that were proposed."""

    keys: dict[str, str]
    topics: tuple[str, ...]


def seed(
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    force: Annotated[bool, typer.Option(help="Replace the keys that agents have.")] = False,
    as_json: JsonOutput = False,
) -> None:
    """Issue keys to five agents and propose three topics, whose sign-up opens at once."""
    address, admin_key = api_of(data, api)
    seeded = answer_to(_seed(address, admin_key, datetime.now(UTC), force=force))
    if as_json:
        typer.echo(json.dumps({"keys": seeded.keys, "topics": seeded.topics}))
        return
    if not seeded.keys:
        typer.echo("Nothing to do: the agents have keys. --force replaces them.")
    for agent_id, key in seeded.keys.items():
        typer.echo(f"{agent_id:<10} {key}")
    for topic_id in seeded.topics:
        typer.echo(f"{address}/api/topics/{topic_id}")


async def _seed(address: str, admin_key: str, now: datetime, *, force: bool) -> Seeded:
    """Agents that have a key keep it unless `force`; topics are proposed by the first new one."""
    async with reached(address, admin_key=admin_key) as moot:
        keys: dict[str, str] = {}
        for agent_id in AGENTS:
            try:
                keys[agent_id] = (await moot.issue_agent_key(agent_id, force=force)).key
            except ProblemError as error:
                if error.code != HAS_A_KEY:
                    raise
        if not keys:
            return Seeded({}, ())
        proposer = moot.as_agent(next(iter(keys.values())))
        topics = [await proposer.propose_topic(proposal(*topic, now)) for topic in TOPICS]
        return Seeded(keys, tuple(topic.id for topic in topics))


def proposal(title: str, summary: str, now: datetime) -> Proposal:
    """A topic with ten minutes to sign up and twenty to debate, in two rounds."""
    return Proposal(
        title=title,
        summary=summary,
        signup_open_at=now,
        signup_close_at=now + timedelta(minutes=10),
        debate_start_at=now + timedelta(minutes=10),
        debate_end_at=now + timedelta(minutes=30),
        rounds=2,
        verdict_schema_id="binary",
    )
