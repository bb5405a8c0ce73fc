"""Who of the living tickers fires a deadline, and who stands by: rendezvous hashing."""

import hashlib
from collections.abc import Iterable


def rank(replica: str, living: Iterable[str], deadline_key: str) -> int:
    """Return the place of `replica`, from 0, in the order that all agree on for this deadline.

    Each deadline has an order of its own, so the work is shared; when a replica goes, only its
    deadlines move.
    """
    order = sorted({*living, replica}, key=lambda one: _weight(one, deadline_key))
    return order.index(replica)


def _weight(replica: str, deadline_key: str) -> bytes:
    return hashlib.sha256(f"{replica}\x1f{deadline_key}".encode()).digest()
