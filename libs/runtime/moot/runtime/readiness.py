"""Whether a process can do its work now, and if not, why: named checks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Check = Callable[[], Awaitable[str | None]]
"""Says why it isn't ready; None is ready. A check that raises isn't ready either."""

CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """`reasons` has each check's name with its reason, None where it holds."""

    reasons: dict[str, str | None]
    notes: dict[str, str]

    @property
    def ready(self) -> bool:
        return not any(self.reasons.values())

    @property
    def reason(self) -> str | None:
        """Every reason in one line, None when ready."""
        return "; ".join(f"{n}: {why}" for n, why in self.reasons.items() if why) or None


class Readiness:
    """A process's checks: some are asked, others are told (`block`, `clear`)."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._blocked: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    def block(self, name: str, reason: str) -> None:
        """Be not ready for `reason` until `clear(name)`."""
        self._blocked[name] = reason

    def clear(self, name: str) -> None:
        self._blocked.pop(name, None)

    def note(self, name: str, text: str | None) -> None:
        """Say something beside the checks that makes nothing unready, e.g. what isn't known.

        None takes it back.
        """
        if text is None:
            self._notes.pop(name, None)
        else:
            self._notes[name] = text

    async def report(self) -> Report:
        """Ask every check. What was blocked when they were asked, or is now, isn't ready."""
        # Checks are added while a process starts: by then the ones asked don't say enough.
        names, blocked = list(self._checks), dict(self._blocked)
        asked = await asyncio.gather(*(_reason(self._checks[name]) for name in names))
        reasons = dict(zip(names, asked, strict=True))
        return Report({**reasons, **blocked, **self._blocked}, dict(self._notes))


async def _reason(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer in {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 whatever a check raises is its reason
        return f"{type(error).__name__}: {error}"
