"""Names that no other test has: what keeps tests apart on a Moot that forgets nothing."""

from uuid import uuid4

LONGEST = 64
"""Characters of an id, as Moot takes it."""


def fresh(name: str) -> str:
    """Return `name` with a suffix of its own, e.g. `windows-baseline-5f0c2a9e41d7`."""
    suffix = uuid4().hex[:12]
    return f"{name[: LONGEST - len(suffix) - 1]}-{suffix}"
