"""Keys as text: `moot_<key id>_<secret>`, and the hash that is all that's stored of them.

Publishers' keys begin with `moot_pub_`, so that who is looked for is known before looking.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar, Self

from moot.contracts.ids import KeyId

_SECRET_BYTES = 32
_KEY = re.compile(r"([a-z_]+)_([0-9a-f]{32})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class _Key:
    """A raw key, shown once to whom it is issued."""

    begins: ClassVar[str]
    key_id: KeyId
    secret: str = field(repr=False)

    @classmethod
    def new(cls, key_id: KeyId) -> Self:
        return cls(key_id, secrets.token_hex(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        match = _KEY.fullmatch(text)
        if match is None or match[1] != cls.begins:
            return None
        return cls(KeyId(match[2]), match[3])

    @property
    def text(self) -> str:
        return f"{self.begins}_{self.key_id}_{self.secret}"

    def hash(self, pepper: str) -> str:
        """Return SHA-256 of pepper and secret, hex. The secret has 256 bits, so no salt or work."""
        return sha256(f"{pepper}{self.secret}".encode()).hexdigest()

    def matches(self, stored_hash: str, pepper: str) -> bool:
        return hmac.compare_digest(self.hash(pepper), stored_hash)


class AgentKey(_Key):
    begins = "moot"


class PublisherKey(_Key):
    begins = "moot_pub"
