"""The luck of an allocation: committed to beforehand, and recomputable by anyone afterwards.

Specified, with test vectors, in docs/allocation.md. Nothing here may change what it computes
under the same `ALGORITHM`: every draw in every Chronicle names it.
"""

import hashlib
import hmac
from collections.abc import Sequence

import rfc8785

from moot.contracts.debates import Signup
from moot.contracts.topic_events import DrawEvidence

ALGORITHM = "moot-three-camps-1"

_BLOCKS = 2**256
"""How many values a block of SHA-256 has."""


def draw_secret(draw_key: bytes, topic_id: str) -> bytes:
    """Return the 32 bytes that decide `topic_id`'s draw (an id of 32 hex digits).

    Derived, so that an allocator that was killed draws the same again.
    """
    return hmac.digest(draw_key, topic_id.encode("ascii"), "sha256")


def commitment(secret: bytes) -> str:
    """Return the SHA-256 of `secret` as 64 hex digits: published before anybody signs up."""
    return hashlib.sha256(secret).hexdigest()


def signups_hash(signups: Sequence[Signup]) -> bytes:
    """Return the SHA-256 of the RFC 8785 JSON of `signups`, which are in order of signing up."""
    listed = [
        {
            "agent_id": signup.agent_id,
            "willing_camps": [camp.value for camp in signup.willing_camps],
        }
        for signup in signups
    ]
    return hashlib.sha256(rfc8785.dumps(listed)).digest()


def draw_seed(secret: bytes, signups: Sequence[Signup]) -> bytes:
    """Return 32 bytes that neither who knows the secret nor who signs up can choose alone."""
    return _seed(secret, signups_hash(signups))


def draw_evidence(secret: bytes, signups: Sequence[Signup]) -> DrawEvidence:
    """Return what is revealed with the outcome, so that anyone can recompute it."""
    listed = signups_hash(signups)
    return DrawEvidence(
        algorithm=ALGORITHM,
        secret=secret.hex(),
        seed=_seed(secret, listed).hex(),
        signups_hash=listed.hex(),
    )


def _seed(secret: bytes, listed: bytes) -> bytes:
    return hashlib.sha256(secret + listed).digest()


class Luck:
    """Random numbers from SHA-256 in counter mode: the same on every version and platform."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._next_block = 0

    def below(self, n: int) -> int:
        """Draw from 0 to n - 1, each exactly as likely. `n` is from 1 to 2^256, else ValueError.

        Blocks from the incomplete last run of `n` values are passed over, or the lower numbers
        would be likelier.
        """
        if not 1 <= n <= _BLOCKS:
            raise ValueError(f"can't draw below {n}: it must be from 1 to 2^256")
        complete_runs = _BLOCKS // n * n
        while (block := self._block()) >= complete_runs:
            pass
        return block % n

    def _block(self) -> int:
        counted = self._seed + self._next_block.to_bytes(8, "big")
        self._next_block += 1
        return int.from_bytes(hashlib.sha256(counted).digest(), "big")
