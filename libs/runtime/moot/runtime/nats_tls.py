"""TLS to NATS, as its address says: `tls://user:password@host?sslrootcert=/path/ca.pem`.

The parameters are PostgreSQL's: `sslrootcert` (else what the system trusts), and `sslcert` with
`sslkey` where the server wants to know its clients. The handshake comes before anything is said,
so that nobody in between can talk it away: the server needs `handshake_first: auto` in its `tls`.
"""

import ssl
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_SCHEME: Final = "tls"
_PARAMETERS: Final = ("sslrootcert", "sslcert", "sslkey")


class NatsAddress(NamedTuple):
    """Where NATS is. `tls` has what is trusted there, None without TLS."""

    url: str
    tls: ssl.SSLContext | None


def nats_address(url: str) -> NatsAddress:
    """Read what NATS_URL says. Raises ValueError when it, or a file that it names, is no good."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    bare = urlunsplit(parts._replace(query=""))
    if unknown := sorted(given.keys() - set(_PARAMETERS)):
        raise ValueError(f"{unknown[0]} is none of {', '.join(_PARAMETERS)}")
    if parts.scheme != _SCHEME:
        if given:
            raise ValueError(f"{next(iter(given))} means nothing without tls://")
        return NatsAddress(bare, None)
    try:
        context = ssl.create_default_context(cafile=given.get("sslrootcert"))
        if "sslcert" in given:
            context.load_cert_chain(given["sslcert"], given.get("sslkey"))
    except OSError as error:
        raise ValueError(f"can't read its certificates or key: {error}") from error
    return NatsAddress(bare, context)
