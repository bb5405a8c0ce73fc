"""Every operation of docs/openapi.json has a call of its name, which asks for just that."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from moot.client import Amendment, MootClient, MootUnreachableError, Proposal, WebhookChange
from moot.contracts.debates import Camp, Visibility
from moot.contracts.webhooks import WebhookTerms
from tests.support.scripted import Script

DESCRIBED = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())
ID = "0123456789abcdef" * 2
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROPOSAL = Proposal(
    title="t", signup_open_at=AT, signup_close_at=AT, debate_start_at=AT, debate_end_at=AT
)
EVENT = DESCRIBED["paths"]["/api/events"]["post"]["requestBody"]["content"][
    "application/cloudevents+json"
]["example"]
TERMS = WebhookTerms(url="https://receiver.example/moot")

Call = Callable[[MootClient], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "propose_topic": lambda moot: moot.propose_topic(PROPOSAL),
    "list_topics": lambda moot: moot.list_topics(mine=True).first(),
    "get_topic": lambda moot: moot.get_topic(ID),
    "amend_topic": lambda moot: moot.amend_topic(ID, Amendment(title="u")),
    "set_visibility": lambda moot: moot.set_visibility(ID, Visibility.PUBLIC),
    "cancel_topic": lambda moot: moot.cancel_topic(ID, "settled"),
    "replace_judge": lambda moot: moot.replace_judge(ID, "dee"),
    "sign_up": lambda moot: moot.sign_up(ID, [Camp.PRO]),
    "list_signups": lambda moot: moot.list_signups(ID).first(),
    "withdraw_signup": lambda moot: moot.withdraw_signup(ID),
    "post_argument": lambda moot: moot.post_argument(ID, "Because."),
    "list_arguments": lambda moot: moot.list_arguments(ID).first(),
    "submit_verdict": lambda moot: moot.submit_verdict(ID, {"winner": "pro"}, "So."),
    "get_verdict": lambda moot: moot.get_verdict(ID),
    "get_allocation": lambda moot: moot.get_allocation(ID),
    "export_debate": lambda moot: moot.export_debate(ID),
    "register_verdict_schema": lambda moot: moot.register_verdict_schema("grant", "t", {}),
    "list_verdict_schemas": lambda moot: moot.list_verdict_schemas().first(),
    "get_verdict_schema": lambda moot: moot.get_verdict_schema("binary"),
    "list_announcements": lambda moot: moot.list_announcements(ID).first(),
    "register_webhook": lambda moot: moot.register_webhook(TERMS),
    "list_webhooks": lambda moot: moot.list_webhooks().first(),
    "get_webhook": lambda moot: moot.get_webhook(ID),
    "change_webhook": lambda moot: moot.change_webhook(ID, WebhookChange(enabled=True)),
    "remove_webhook": lambda moot: moot.remove_webhook(ID, "gone"),
    "rotate_webhook_secret": lambda moot: moot.rotate_webhook_secret(ID, overlap=timedelta(1)),
    "retry_delivery": lambda moot: moot.retry_delivery(f"{ID}/{ID}"),
    "list_events": lambda moot: moot.list_events(category="topic", stream_id=ID).first(),
    "get_event": lambda moot: moot.get_event(7),
    "stream_topic": lambda moot: anext(moot.stream_topic(ID, after=7)),
    "stream_chronicle": lambda moot: anext(moot.stream_chronicle()),
    "publish_events": lambda moot: moot.publish_events([EVENT]),
    "issue_publishing_key": lambda moot: moot.issue_publishing_key("collector", ["posture"]),
    "list_publishers": lambda moot: moot.list_publishers().first(),
    "revoke_publishing_key": lambda moot: moot.revoke_publishing_key("collector", "lost"),
    "list_contracts": lambda moot: moot.list_contracts(),
    "list_deadlines": lambda moot: moot.list_deadlines(topic_id=ID).first(),
    "issue_agent_key": lambda moot: moot.issue_agent_key("ann", expires_at=AT),
    "revoke_agent_key": lambda moot: moot.revoke_agent_key("ann", "lost"),
    "get_me": lambda moot: moot.get_me(),
    "get_inbox": lambda moot: moot.get_inbox(wait=timedelta(seconds=20), after=7),
    "get_agent_activity": lambda moot: moot.get_agent_activity("ann"),
    "get_liveness": lambda moot: moot.get_liveness(),
    "get_readiness": lambda moot: moot.get_readiness(),
    "get_health": lambda moot: moot.get_health(),
    "get_metrics": lambda moot: moot.get_metrics(),
}
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, item in DESCRIBED["paths"].items()
    for method, operation in item.items()
}


def test_every_operation_has_a_call() -> None:
    assert CALLS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_call_asks_for_its_operation_as_it_is_described(name: str) -> None:
    method, path, operation = OPERATIONS[name]
    script = Script([httpx2.Response(400, text="seen enough")])
    async with script.client() as moot:
        with pytest.raises(MootUnreachableError, match="seen enough"):
            await CALLS[name](moot)
    (asked,) = script.asked
    assert asked.method == method
    assert re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), asked.url.path)
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    assert set(asked.url.params) - {"limit"} <= known
    assert bool(asked.content) == ("requestBody" in operation)
    if asked.content:
        content = operation["requestBody"]["content"][asked.headers["Content-Type"]]
        schema = DESCRIBED["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        body = json.loads(asked.content)
        if schema["type"] == "array":
            (body,) = body
            schema = DESCRIBED["components"]["schemas"][schema["items"]["$ref"].rpartition("/")[2]]
        assert set(schema.get("required", [])) <= set(body) <= set(schema["properties"])


CHANGES: dict[str, Call] = {
    "amend_topic": lambda moot: moot.amend_topic(ID, Amendment(title="u"), if_match='"7"'),
    "set_visibility": lambda moot: moot.set_visibility(ID, Visibility.PUBLIC, if_match='"7"'),
    "cancel_topic": lambda moot: moot.cancel_topic(ID, "settled", if_match='"7"'),
    "replace_judge": lambda moot: moot.replace_judge(ID, "dee", if_match='"7"'),
    "change_webhook": lambda moot: moot.change_webhook(ID, WebhookChange(), if_match='"7"'),
    "remove_webhook": lambda moot: moot.remove_webhook(ID, if_match='"7"'),
    "rotate_webhook_secret": lambda moot: moot.rotate_webhook_secret(ID, if_match='"7"'),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_is_of_what_was_read(name: str) -> None:
    script = Script([httpx2.Response(400, text="seen enough")])
    async with script.client() as moot:
        with pytest.raises(MootUnreachableError, match="seen enough"):
            await CHANGES[name](moot)
    assert script.asked[0].headers["If-Match"] == '"7"'
