"""Publishers: admins let other systems publish, and stop them."""

from typing import Any

from starlette.responses import Response

from moot.api.agent_secrets import PublisherKey
from moot.api.bodies import IssuePublishingKeyBody, read_body
from moot.api.exchange import (
    Api,
    Asked,
    answer_gone,
    obey,
    read_query,
    wait_for_position,
)
from moot.api.issuing import RevokeQuery, answer_once, obey_once, until_known
from moot.api.lists import PageQuery, answer_page, start_of
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.api.queries.checkpoints import Row
from moot.api.queries.publishing import PROJECTION, grant_in, list_publishers
from moot.contracts.ids import KeyId, derived_id, is_safe_token
from moot.contracts.publishing import (
    IssuePublishingKey,
    PublisherName,
    RevokePublishingKey,
    publisher_stream_id,
)
from moot.contracts.publishing_views import IssuedPublishingKeyView, PublisherView
from moot.contracts.views import PageView
from moot.domain import publishers


async def issue_publishing_key(api: Api, asked: Asked) -> Response:
    """The raw key is in this one answer and nowhere else, so a repeat is refused."""
    body = await read_body(asked.request, IssuePublishingKeyBody)
    key = PublisherKey.new(KeyId(derived_id("publishing key", asked.command_id)))
    command = IssuePublishingKey(
        by=asked.caller,
        publisher=body.publisher,
        grant=body.grant,
        key_id=key.key_id,
        key_hash=key.hash(api.pepper),
        expires_at=body.expires_at,
        force=body.force,
    )
    stream_id = publisher_stream_id(body.publisher)
    outcome = await obey_once(api, asked, publishers, stream_id, command)
    await until_known(api, PROJECTION, outcome.position)
    view = IssuedPublishingKeyView(
        publisher=body.publisher,
        **body.grant.model_dump(),
        key_id=key.key_id,
        key=key.text,
        expires_at=body.expires_at,
    )
    return answer_once(view, outcome, f"/api/admin/publishers/{body.publisher}")


async def revoke_publishing_key(api: Api, asked: Asked) -> Response:
    """Once this is answered, each replica that hears from NATS refuses the key."""
    name: str = asked.request.path_params["publisher"]
    query = read_query(asked.request, RevokeQuery)
    if not is_safe_token(name):
        raise Problem("publisher-not-found")
    publisher = PublisherName(name)
    command = RevokePublishingKey(by=asked.caller, publisher=publisher, reason=query.reason)
    outcome = await obey(api, asked, publishers, publisher_stream_id(publisher), command)
    if outcome.position == 0:
        raise Problem("publisher-not-found")
    await until_known(api, PROJECTION, outcome.position)
    return answer_gone(outcome)


async def list_all(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, PageQuery)
    after = start_of(api, query, "publishers", 0)
    await wait_for_position(api, asked, (PROJECTION,))
    rows = await list_publishers(api.pool, after, query.limit + 1)
    found = [(int(row["position"]), _view(row)) for row in rows if row["position"] is not None]
    return answer_page(api, asked, found, query, "publishers", rows[0]["as_of"])


def _view(row: Row) -> PublisherView:
    granted: dict[str, Any] = grant_in(row).model_dump()
    return PublisherView(
        publisher=row["publisher"],
        **granted,
        key_id=row["key_id"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        issued_at=row["issued_at"],
        position=row["position"],
    )


OPERATIONS = (
    Operation(
        "POST",
        "/api/admin/publishers",
        "issue_publishing_key",
        "publishers",
        "Let a system publish; its key is shown this once",
        issue_publishing_key,
        {201: IssuedPublishingKeyView},
        who="admins",
        body=IssuePublishingKeyBody,
        example={"publisher": "collector", "categories": ["artifact", "posture"]},
        shows_secret=True,
        problems=("already-issued", "expiry-has-passed", "not-ingestible"),
    ),
    Operation(
        "GET",
        "/api/admin/publishers",
        "list_publishers",
        "publishers",
        "List who may publish what, and who no longer may",
        list_all,
        {200: PageView[PublisherView]},
        who="admins",
        query=PageQuery,
        problems=("invalid-request", "invalid-cursor", "projection-behind"),
    ),
    Operation(
        "DELETE",
        "/api/admin/publishers/{publisher}",
        "revoke_publishing_key",
        "publishers",
        "Revoke a publisher's key",
        revoke_publishing_key,
        {204: None},
        who="admins",
        query=RevokeQuery,
        problems=("publisher-not-found", "invalid-request"),
    ),
)
