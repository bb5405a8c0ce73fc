"""Who of the living tickers fires a deadline, and who stands by: rendezvous hashing."""

import hashlib
from collections.abc import Mapping


def rank(replica: str, living: Mapping[str, bool], deadline_key: str) -> int:
    """Return the place of `replica`, from 0, in the order that all agree on for this deadline.

    `living` says of each replica whether it is fit; those that aren't come last. Each deadline has
    an order of its own, so the work is shared; when a replica goes, only its deadlines move.
    """
    all_of_them = {replica: True, **living}
    order = sorted(all_of_them, key=lambda one: (not all_of_them[one], weight(one, deadline_key)))
    return order.index(replica)


def weight(replica: str, deadline_key: str) -> bytes:
    """Return what orders deadlines by chance, for each replica in another way."""
    return hashlib.sha256(f"{replica}\x1f{deadline_key}".encode()).digest()
