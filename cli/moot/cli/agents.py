"""`moot agents`: the keys that agents call the API with."""

from pathlib import Path
from typing import Annotated

import typer

from moot.cli.calls import answer_to, reached
from moot.cli.options import ApiAddress, DataFolder, JsonOutput
from moot.cli.whereabouts import api_of
from moot.contracts.views import IssuedKeyView

app = typer.Typer(no_args_is_help=True, help="Keys that agents call the API with.")

AgentId = Annotated[str, typer.Argument(help="The agent.")]


@app.command("issue-key")
def issue_key(
    agent_id: AgentId,
    force: Annotated[bool, typer.Option(help="Replace the key it has.")] = False,
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
    as_json: JsonOutput = False,
) -> None:
    """Give an agent a key; it is shown this once."""
    address, admin_key = api_of(data, api)
    issued = answer_to(_issue(address, admin_key, agent_id, force=force))
    typer.echo(issued.model_dump_json() if as_json else issued.key)


@app.command("revoke")
def revoke(
    agent_id: AgentId,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "revoked by an admin",
    api: ApiAddress = None,
    data: DataFolder = Path(".moot"),
) -> None:
    """Make an agent's key worthless."""
    address, admin_key = api_of(data, api)
    answer_to(_revoke(address, admin_key, agent_id, reason))
    typer.echo(f"{agent_id} has no key any more.")


async def _issue(address: str, admin_key: str, agent_id: str, *, force: bool) -> IssuedKeyView:
    async with reached(address, admin_key=admin_key) as moot:
        return await moot.issue_agent_key(agent_id, force=force)


async def _revoke(address: str, admin_key: str, agent_id: str, reason: str) -> None:
    async with reached(address, admin_key=admin_key) as moot:
        await moot.revoke_agent_key(agent_id, reason)
