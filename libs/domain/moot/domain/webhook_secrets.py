"""What a webhook's messages are signed with, derived and never stored.

HKDF-SHA256 (RFC 5869) of MOOT_SECRET_KEY, bound to the webhook's id, the secret's version and its
use. A version is the same for ever; rotating a secret takes the next one.
"""

import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moot.contracts.ids import WebhookId
from moot.contracts.webhooks import Scheme

_BYTES = 32


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """Both kinds of keys of one version, as Standard Webhooks has them."""

    hmac_key: bytes = field(repr=False)
    private_key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def derive(cls, secret_key: str, webhook_id: WebhookId, version: int) -> Self:
        def key(use: str) -> bytes:
            info = f"moot webhook {use} {webhook_id} {version}".encode()
            return HKDF(SHA256(), _BYTES, salt=None, info=info).derive(secret_key.encode())

        return cls(key("hmac"), Ed25519PrivateKey.from_private_bytes(key("ed25519")))

    @property
    def text(self) -> str:
        """What the receiver checks `v1` signatures with: to be shown once, and kept."""
        return f"whsec_{b64encode(self.hmac_key).decode()}"

    @property
    def public_key(self) -> str:
        """What the receiver checks `v1a` signatures with. It is no secret."""
        return f"whpk_{b64encode(self.private_key.public_key().public_bytes_raw()).decode()}"

    @property
    def fingerprint(self) -> str:
        """Tells one secret from another, and nothing else about it."""
        return sha256(b"moot webhook fingerprint\x00" + self.hmac_key).hexdigest()[:16]

    def signature(self, scheme: Scheme, webhook_id: str, sent_at: datetime, body: bytes) -> str:
        """Sign a message; `webhook_id` is its own `webhook-id`, an event's id."""
        signed = b".".join((webhook_id.encode(), timestamp(sent_at).encode(), body))
        match scheme:
            case "v1":
                raw = hmac.digest(self.hmac_key, signed, "sha256")
            case "v1a":
                raw = self.private_key.sign(signed)
        return f"{scheme},{b64encode(raw).decode()}"


def timestamp(sent_at: datetime) -> str:
    """Return the header `webhook-timestamp`: whole seconds since 1970."""
    return str(int(sent_at.timestamp()))
