"""Signatures as Standard Webhooks has them, checked by its reference library."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from moot.contracts.ids import WebhookId, derived_id
from moot.domain.webhook_secrets import WebhookSecret, timestamp

KEY = "a key that all replicas share"
HOOK = WebhookId(derived_id("webhook"))
BODY = json.dumps({"type": "moot.topic.signup_opened.v1", "data": {"text": "ünïcode"}}).encode()
MESSAGE = derived_id("event")
FIRST, SECOND = WebhookSecret.derive(KEY, HOOK, 1), WebhookSecret.derive(KEY, HOOK, 2)


def headers(sent_at: datetime, *secrets: WebhookSecret) -> dict[str, str]:
    signatures = [secret.signature("v1", MESSAGE, sent_at, BODY) for secret in secrets]
    return {
        "webhook-id": MESSAGE,
        "webhook-timestamp": timestamp(sent_at),
        "webhook-signature": " ".join(signatures),
    }


def test_the_reference_library_verifies_a_message() -> None:
    verified = Webhook(FIRST.text).verify(BODY.decode(), headers(datetime.now(UTC), FIRST))
    assert verified == json.loads(BODY)


def test_it_signs_as_the_reference_library_does() -> None:
    sent_at = datetime.now(UTC)
    theirs = Webhook(FIRST.text).sign(MESSAGE, sent_at, BODY.decode())
    assert FIRST.signature("v1", MESSAGE, sent_at, BODY) == theirs


def test_both_secrets_verify_while_they_overlap() -> None:
    both = headers(datetime.now(UTC), SECOND, FIRST)
    for secret in (FIRST, SECOND):
        assert Webhook(secret.text).verify(BODY.decode(), both)


def test_a_wrong_an_old_and_a_not_yet_known_secret_do_not_verify() -> None:
    now = datetime.now(UTC)
    elsewhere = WebhookSecret.derive(KEY, WebhookId(derived_id("another")), 1)
    another_key = WebhookSecret.derive("another key of this Moot", HOOK, 1)
    for wrong in (elsewhere, another_key, SECOND):
        with pytest.raises(WebhookVerificationError):
            Webhook(wrong.text).verify(BODY.decode(), headers(now, FIRST))
    with pytest.raises(WebhookVerificationError):
        Webhook(FIRST.text).verify(BODY.decode(), headers(now, SECOND))


def test_a_message_that_was_altered_or_is_old_does_not_verify() -> None:
    now = datetime.now(UTC)
    with pytest.raises(WebhookVerificationError):
        Webhook(FIRST.text).verify(BODY.decode() + " ", headers(now, FIRST))
    with pytest.raises(WebhookVerificationError):
        Webhook(FIRST.text).verify(BODY.decode(), headers(now - timedelta(minutes=6), FIRST))


def test_an_ed25519_signature_verifies_with_the_public_key_alone() -> None:
    sent_at = datetime.now(UTC)
    scheme, _, signature = FIRST.signature("v1a", MESSAGE, sent_at, BODY).partition(",")
    assert scheme == "v1a"
    signed = f"{MESSAGE}.{timestamp(sent_at)}.".encode() + BODY
    _public(FIRST).verify(b64decode(signature), signed)
    with pytest.raises(InvalidSignature):
        _public(SECOND).verify(b64decode(signature), signed)


def _public(secret: WebhookSecret) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(b64decode(secret.public_key.removeprefix("whpk_")))


def test_what_was_shown_once_is_derived_for_ever() -> None:
    assert FIRST.text == "whsec_zT0OeDfQXzmvBC2RRiAOvLIR/VMFoQlK7c0AHPPZVvw="
    assert FIRST.public_key == "whpk_kjIOP3YVUxJ5nvXvh+HeaOBG+jEdeaTav41w6NjMrHM="
    assert FIRST.fingerprint == "002c677b2437f6ef"


def test_a_secret_does_not_show_in_its_repr() -> None:
    assert FIRST.text.removeprefix("whsec_") not in repr(FIRST)
    assert repr(FIRST) == "WebhookSecret()"
