"""Ports on 127.0.0.1."""

import secrets
import socket

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
