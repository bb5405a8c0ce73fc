"""Whether this machine's clock is kept right: what the kernel was told by an NTP daemon, if any."""

import ctypes
import struct
import sys
from typing import Final

_UNSYNCHRONISED: Final = 0x0040
_STATUS: Final = struct.Struct("@I4xqqqqi")
"""`struct timex` of a 64-bit Linux, up to its `status`."""
_MORE_THAN_ENOUGH: Final = 512


def is_synchronised() -> bool | None:
    """Return what Linux says; None where that can't be asked."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_long) != 8:  # noqa: PLR2004 bytes
        return None
    buffer = ctypes.create_string_buffer(_MORE_THAN_ENOUGH)
    try:
        # With no mode set it only reads, which anybody may.
        said = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    return None if said < 0 else not _STATUS.unpack_from(buffer)[5] & _UNSYNCHRONISED
