"""What NATS refused this process, which looks well until it needs what its user may not do."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Final

LASTS_SECONDS: Final = 60.0
"""For how long a refused message counts: whoever needs it sends another well before."""

MOST_TOLD: Final = 3
"""Readers' own consumers have another name each time."""

_VIOLATION: Final = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]*)\"")
"""As the server says it, and nats-py puts into small letters."""


class Refusals:
    """What one connection was refused. `now` in seconds, of a clock that only goes forward."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[tuple[str, str], float] = {}

    def note(self, error: Exception) -> bool:
        """Note what the server said; returns whether it is that something is refused."""
        found = _VIOLATION.search(str(error).lower())
        if found is None:
            return False
        verb, subject = found.groups()
        # Nobody subscribes again on the same connection.
        lasts = LASTS_SECONDS if verb == "publish" else float("inf")
        self._until[verb, subject] = self._now() + lasts
        return True

    def forget(self, subjects: Iterable[str] | None = None) -> None:
        """Forget what was refused of messages to `subjects`; without any, all: it is tried anew."""
        if subjects is None:
            self._until.clear()
            return
        for subject in subjects:
            self._until.pop(("publish", subject.lower()), None)

    @property
    def reason(self) -> str | None:
        """What is refused now, in one line; None when nothing is."""
        now = self._now()
        self._until = {what: until for what, until in self._until.items() if until > now}
        if not self._until:
            return None
        refused = [f"{verb} to {subject}" for verb, subject in sorted(self._until)]
        told, more = refused[:MOST_TOLD], len(refused) - MOST_TOLD
        return f"NATS refuses this user: {', '.join(told)}" + (
            f" and {more} more" if more > 0 else ""
        )
