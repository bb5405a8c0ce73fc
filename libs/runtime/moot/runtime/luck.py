"""New identifiers."""

import secrets
import threading
import time

_NANOSECONDS = 1_000_000
_LUCK_BITS = 62


class _Ids:
    """UUIDv7 (RFC 9562, method 3), ascending within a process even when the clock steps back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS)
        counted = milliseconds << 12 | rest * 4096 // _NANOSECONDS
        with self._lock:
            counted = self._last = max(counted, self._last + 1)
        head, fraction = counted >> 12, counted & 0xFFF
        number = head << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(_LUCK_BITS)
        return f"{number:032x}"


_ids = _Ids()


def new_id() -> str:
    """Return a UUIDv7 as 32 lower-case hex digits, greater than all before in this process."""
    return _ids.next()
