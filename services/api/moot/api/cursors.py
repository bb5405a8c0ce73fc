"""Where the next page of a list begins: a position, opaque and signed."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from moot.api.problems import Problem

_POSITION_BYTES = 8
_MAC_BYTES = 16


class Cursors:
    """Cursors of every replica with the same secret key.

    `of` names the list with its filters: a cursor of another list is refused like an altered one.
    """

    def __init__(self, secret_key: str) -> None:
        self._key = sha256(b"moot cursors\x00" + secret_key.encode()).digest()

    def write(self, of: str, position: int, size: int = _POSITION_BYTES) -> str:
        place = position.to_bytes(size)
        return urlsafe_b64encode(place + self._mac(of, place)).decode()

    def read(self, of: str, cursor: str, size: int = _POSITION_BYTES) -> int:
        """Return the position, of `size` bytes. Raises Problem `invalid-cursor`."""
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii"))
        except ValueError:
            raise Problem("invalid-cursor") from None
        place, mac = raw[:size], raw[size:]
        if not hmac.compare_digest(mac, self._mac(of, place)) or self._rewritten(raw) != cursor:
            raise Problem("invalid-cursor")
        return int.from_bytes(place)

    def _rewritten(self, raw: bytes) -> str:
        """One position has one cursor: base64 with other padding bits isn't it."""
        return urlsafe_b64encode(raw).decode()

    def _mac(self, of: str, place: bytes) -> bytes:
        return hmac.digest(self._key, of.encode() + b"\x00" + place, "sha256")[:_MAC_BYTES]
