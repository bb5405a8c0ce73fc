"""Ports on 127.0.0.1."""

import secrets
import socket
import sys

from moot.cli.errors import SurroundingsError

LOOPBACK = "127.0.0.1"

# Below what Linux hands to outgoing connections (32768 and up): a client that keeps dialling the
# port of a server that is down could otherwise be given that very port, reach itself, and hold it.
FREE_PORTS = range(18_000, 32_000)
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(usual: int | None = None, *, taken: frozenset[int] = frozenset()) -> int:
    """`usual` if it is free, else some port that is; none of `taken`."""
    if usual is not None and usual not in taken and is_free(usual):
        return usual
    for _ in range(ATTEMPTS):
        port = FREE_PORTS[secrets.randbelow(len(FREE_PORTS))]
        if port not in taken and is_free(port):
            return port
    raise OSError(f"found no free port on {LOOPBACK} in {ATTEMPTS} attempts")


class Ports:
    """The ports of one local stack, kept from other stacks that start at the same moment."""

    def __init__(self, *, usual_ones: bool = True) -> None:
        """Without the `usual_ones` they are left to others, taken or not."""
        self._usual_ones = usual_ones
        self._claims: dict[int, socket.socket | None] = {}

    def take(self, usual: int | None = None) -> int:
        """`usual` if nobody has it, else some other."""
        if usual is not None and self._usual_ones and self._claim(usual):
            return usual
        for _ in range(ATTEMPTS):
            port = free_port(taken=frozenset(self._claims))
            if self._claim(port):
                return port
        raise OSError(f"found no free port on {LOOPBACK} in {ATTEMPTS} attempts")

    def take_exactly(self, port: int) -> int:
        """Raises SurroundingsError when somebody has `port`."""
        if not self._claim(port):
            raise SurroundingsError(f"Port {port} is taken: choose another with --port.")
        return port

    def release(self) -> None:
        for claim in self._claims.values():
            if claim is not None:
                claim.close()
        self._claims.clear()

    def _claim(self, port: int) -> bool:
        if port in self._claims or not is_free(port):
            return False
        if sys.platform != "linux":
            self._claims[port] = None
            return True
        # A name that the kernel gives to one process at a time, and takes back when it ends.
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0moot-port-{port}")
        except OSError:
            claim.close()
            return False
        self._claims[port] = claim
        return True
