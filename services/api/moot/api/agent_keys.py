"""Agents' keys: admins issue and revoke them."""

from starlette.responses import Response

from moot.api.agent_secrets import AgentKey
from moot.api.bodies import IssueAgentKeyBody, read_body
from moot.api.exchange import Api, Asked, answer_gone, obey, read_query
from moot.api.issuing import RevokeQuery, answer_once, obey_once, until_known
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.api.queries.agent_keys import PROJECTION
from moot.contracts.access import IssueAgentKey, RevokeAgentKey
from moot.contracts.ids import KeyId, derived_id, is_safe_token
from moot.contracts.views import IssuedKeyView
from moot.domain import agent_keys


async def issue_agent_key(api: Api, asked: Asked) -> Response:
    """The raw key is in this one answer and nowhere else, so a repeat is refused."""
    body = await read_body(asked.request, IssueAgentKeyBody)
    key = AgentKey.new(KeyId(derived_id("agent key", asked.command_id)))
    command = IssueAgentKey(
        by=asked.caller,
        key_id=key.key_id,
        key_hash=key.hash(api.pepper),
        expires_at=body.expires_at,
        force=body.force,
    )
    outcome = await obey_once(api, asked, agent_keys, body.agent_id, command)
    await until_known(api, PROJECTION, outcome.position)
    view = IssuedKeyView(agent_id=body.agent_id, key_id=key.key_id, key=key.text)
    return answer_once(view, outcome, f"/api/admin/agent-keys/{body.agent_id}")


async def revoke_agent_key(api: Api, asked: Asked) -> Response:
    """Once this is answered, each replica that hears from NATS refuses the key."""
    agent_id: str = asked.request.path_params["agent_id"]
    query = read_query(asked.request, RevokeQuery)
    if not is_safe_token(agent_id):
        raise Problem("agent-key-not-found")
    command = RevokeAgentKey(by=asked.caller, reason=query.reason)
    outcome = await obey(api, asked, agent_keys, agent_id, command)
    if outcome.position == 0:
        raise Problem("agent-key-not-found")
    await until_known(api, PROJECTION, outcome.position)
    return answer_gone(outcome)


OPERATIONS = (
    Operation(
        "POST",
        "/api/admin/agent-keys",
        "issue_agent_key",
        "agent keys",
        "Issue an agent's key, which is shown this once",
        issue_agent_key,
        {201: IssuedKeyView},
        who="admins",
        body=IssueAgentKeyBody,
        example={"agent_id": "ann"},
        problems=("already-issued", "expiry-has-passed"),
        shows_secret=True,
    ),
    Operation(
        "DELETE",
        "/api/admin/agent-keys/{agent_id}",
        "revoke_agent_key",
        "agent keys",
        "Revoke an agent's key",
        revoke_agent_key,
        {204: None},
        who="admins",
        query=RevokeQuery,
        problems=("agent-key-not-found", "invalid-request"),
    ),
)
