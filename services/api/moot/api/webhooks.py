"""Webhooks: admins register, change and remove them, and rotate their secrets.

All webhooks are one stream of events, so what there is is read from the Chronicle itself.
"""

from datetime import timedelta

from pydantic import Field
from starlette.responses import Response

from moot.api.bodies import ChangeWebhookBody, RegisterWebhookBody, RotateSecretBody, read_body
from moot.api.exchange import (
    Api,
    Asked,
    ETag,
    TagOf,
    answer_gone,
    answer_resource,
    answer_write,
    etag_of_content,
    obey,
    read_query,
)
from moot.api.issuing import obey_once
from moot.api.lists import PageQuery, answer_page, start_of
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.contracts.delivery_views import OldSecretView, WebhookView, WebhookWithSecretView
from moot.contracts.ids import WebhookId, derived_id
from moot.contracts.shape import Frozen, Text
from moot.contracts.views import PageView
from moot.contracts.webhooks import (
    WEBHOOKS,
    ChangeWebhook,
    RegisterWebhook,
    RemoveWebhook,
    RotateWebhookSecret,
    SecretVersion,
)
from moot.domain import webhooks
from moot.domain.webhook_secrets import WebhookSecret
from moot.domain.webhooks import Webhook, Webhooks
from moot.runtime.deciding import Outcome


class RemoveQuery(Frozen):
    reason: Text = Field(default="removed by an admin", max_length=1000)


async def register_webhook(api: Api, asked: Asked) -> Response:
    body = await read_body(asked.request, RegisterWebhookBody)
    webhook_id = WebhookId(derived_id("webhook", asked.command_id))
    command = RegisterWebhook(
        by=asked.caller,
        webhook_id=webhook_id,
        terms=body.terms,
        fingerprint=WebhookSecret.derive(api.secret_key, webhook_id, 1).fingerprint,
    )
    outcome = await obey(api, asked, webhooks, WEBHOOKS, command)
    response = _answer_with_secret(api, webhook_id, outcome)
    response.headers["Location"] = f"/api/admin/webhooks/{webhook_id}"
    return response


async def list_all(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, PageQuery)
    after = start_of(api, query, "webhooks", 0)
    known = await api.dispatcher.load(webhooks, WEBHOOKS)
    found = [
        (webhook.number, _view(api, webhook_id, webhook))
        for webhook_id, webhook in known.state.by_id.items()
        if webhook.number > after
    ]
    return answer_page(api, asked, found[: query.limit + 1], query, "webhooks", known.position)


async def get_webhook(api: Api, asked: Asked) -> Response:
    known = await api.dispatcher.load(webhooks, WEBHOOKS)
    webhook_id, webhook = _asked_for(asked, known.state)
    view = _view(api, webhook_id, webhook)
    return answer_resource(asked, view, known.position, etag_of_content(view))


async def change_webhook(api: Api, asked: Asked) -> Response:
    body = await read_body(asked.request, ChangeWebhookBody)
    known = await api.dispatcher.load(webhooks, WEBHOOKS)
    webhook_id, webhook = _asked_for(asked, known.state)
    command = ChangeWebhook(
        by=asked.caller,
        webhook_id=webhook_id,
        terms=body.changed(webhook.terms),
        enabled=body.enabled,
        reason=body.reason,
    )
    tag_of = _tag_of(api, webhook_id)
    outcome = await obey(api, asked, webhooks, WEBHOOKS, command, tag_of=tag_of)
    view = _view(api, webhook_id, outcome.state.by_id[webhook_id])
    response = answer_write(view, outcome)
    response.headers["ETag"] = etag_of_content(view)
    return response


async def rotate_secret(api: Api, asked: Asked) -> Response:
    body = await read_body(asked.request, RotateSecretBody)
    known = await api.dispatcher.load(webhooks, WEBHOOKS)
    webhook_id, webhook = _asked_for(asked, known.state)
    version = webhook.secret.version + 1
    secret = WebhookSecret.derive(api.secret_key, webhook_id, version)
    command = RotateWebhookSecret(
        by=asked.caller,
        webhook_id=webhook_id,
        secret=SecretVersion(version=version, fingerprint=secret.fingerprint),
        overlap=timedelta(seconds=body.overlap_s),
    )
    # The same request again asks for the version after the one that it got.
    tag_of = _tag_of(api, webhook_id)
    outcome = await obey_once(api, asked, webhooks, WEBHOOKS, command, tag_of=tag_of)
    return _answer_with_secret(api, webhook_id, outcome)


async def remove_webhook(api: Api, asked: Asked) -> Response:
    query = read_query(asked.request, RemoveQuery)
    webhook_id = WebhookId(asked.request.path_params["webhook_id"])
    command = RemoveWebhook(by=asked.caller, webhook_id=webhook_id, reason=query.reason)
    tag_of = _tag_of(api, webhook_id)
    outcome = await obey(api, asked, webhooks, WEBHOOKS, command, tag_of=tag_of)
    return answer_gone(outcome)


def _asked_for(asked: Asked, known: Webhooks) -> tuple[WebhookId, Webhook]:
    """Raises Problem `webhook-not-found`."""
    webhook_id = WebhookId(asked.request.path_params["webhook_id"])
    webhook = known.by_id.get(webhook_id)
    if webhook is None:
        raise Problem("webhook-not-found")
    return webhook_id, webhook


def _answer_with_secret(api: Api, webhook_id: WebhookId, outcome: Outcome[Webhooks]) -> Response:
    """Show the newest secret; never again for the same request. Raises Problem `already-issued`."""
    if outcome.replayed:
        raise Problem("already-issued")
    webhook = outcome.state.by_id[webhook_id]
    secret = WebhookSecret.derive(api.secret_key, webhook_id, webhook.secret.version)
    view = _view(api, webhook_id, webhook)
    shown = WebhookWithSecretView(**view.model_dump(), secret=secret.text)
    response = answer_write(shown, outcome, 201)
    response.headers["ETag"] = etag_of_content(view)
    response.headers["Cache-Control"] = "no-store"
    return response


def _tag_of(api: Api, webhook_id: WebhookId) -> TagOf[Webhooks]:
    """All webhooks are one stream: its position, which any of them changes, is no tag of one."""

    def tag_of(known: Webhooks) -> ETag | None:
        webhook = known.by_id.get(webhook_id)
        return None if webhook is None else etag_of_content(_view(api, webhook_id, webhook))

    return tag_of


def _view(api: Api, webhook_id: WebhookId, webhook: Webhook) -> WebhookView:
    terms, version = webhook.terms, webhook.secret.version
    secret = WebhookSecret.derive(api.secret_key, webhook_id, version)
    return WebhookView(
        id=webhook_id,
        url=terms.url,
        event_types=terms.event_types,
        topic_id=terms.topic_id,
        include_private=terms.include_private,
        signing=terms.signing,
        enabled=webhook.disabled_because is None,
        disabled_reason=webhook.disabled_because,
        secret_version=version,
        old_secrets=tuple(
            OldSecretView(version=old.secret.version, signs_until=old.until)
            for old in webhook.old_secrets
        ),
        public_key=secret.public_key if "v1a" in terms.signing else None,
        registered_at=webhook.registered_at,
    )


_EXAMPLE = {
    "url": "https://receiver.example/moot",
    "event_types": ["moot.topic.verdict_submitted.v1"],
    "signing": ["v1", "v1a"],
}

OPERATIONS = (
    Operation(
        "POST",
        "/api/admin/webhooks",
        "register_webhook",
        "webhooks",
        "Register a webhook, whose secret is shown this once",
        register_webhook,
        {201: WebhookWithSecretView},
        who="admins",
        body=RegisterWebhookBody,
        example=_EXAMPLE,
        problems=("already-issued",),
        shows_secret=True,
    ),
    Operation(
        "GET",
        "/api/admin/webhooks",
        "list_webhooks",
        "webhooks",
        "List webhooks",
        list_all,
        {200: PageView[WebhookView]},
        who="admins",
        query=PageQuery,
        problems=("invalid-request", "invalid-cursor"),
    ),
    Operation(
        "GET",
        "/api/admin/webhooks/{webhook_id}",
        "get_webhook",
        "webhooks",
        "Show a webhook",
        get_webhook,
        {200: WebhookView, 304: None},
        who="admins",
        problems=("webhook-not-found",),
    ),
    Operation(
        "PATCH",
        "/api/admin/webhooks/{webhook_id}",
        "change_webhook",
        "webhooks",
        "Change, disable or enable a webhook",
        change_webhook,
        {200: WebhookView},
        who="admins",
        body=ChangeWebhookBody,
        example={"enabled": True},
        problems=("webhook-not-found",),
    ),
    Operation(
        "DELETE",
        "/api/admin/webhooks/{webhook_id}",
        "remove_webhook",
        "webhooks",
        "Remove a webhook",
        remove_webhook,
        {204: None},
        who="admins",
        query=RemoveQuery,
        problems=("webhook-not-found", "invalid-request"),
    ),
    Operation(
        "POST",
        "/api/admin/webhooks/{webhook_id}/secret",
        "rotate_webhook_secret",
        "webhooks",
        "Rotate a webhook's secret; the new one is shown this once, the old one signs for a while",
        rotate_secret,
        {201: WebhookWithSecretView},
        who="admins",
        body=RotateSecretBody,
        example={"overlap_s": 86400},
        problems=(
            "webhook-not-found",
            "already-issued",
            "another-version",
            "too-many-secrets",
            "overlap-out-of-bounds",
        ),
        shows_secret=True,
    ),
)
