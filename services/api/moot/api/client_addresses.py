"""Where a request comes from, also through proxies that are trusted to say so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

from starlette.requests import Request

Network = IPv4Network | IPv6Network
MOST_HOPS = 32
"""More proxies in a row than anybody has; whoever sends a longer list made it up."""


@dataclass(frozen=True, slots=True)
class ClientAddresses:
    """`trusted`: the proxies' networks. `X-Forwarded-For` counts only as far as they wrote it."""

    trusted: Sequence[Network] = ()

    def of(self, request: Request) -> str:
        """Return the client's address; of IPv6 the network, since one host has all of it.

        That is the last one in the chain that isn't a trusted proxy's: whatever is before it in
        the header, the client may have made up.
        """
        host = request.client.host if request.client is not None else "unknown"
        if not self.trusted:
            return _peer_named(host)
        address = _peer(host)
        if address is None:
            return host
        for earlier in _forwarded(request):
            if earlier is None or not self._trusts(address):
                break
            address = earlier
        return _named(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.trusted)


@lru_cache(maxsize=1024)
def _peer(host: str) -> IPv4Address | IPv6Address | None:
    """Who asks, asks again; what a header says isn't kept, as it may be long."""
    return _parsed(host)


@lru_cache(maxsize=1024)
def _peer_named(host: str) -> str:
    address = _peer(host)
    return host if address is None else _named(address)


def _forwarded(request: Request) -> Iterator[IPv4Address | IPv6Address | None]:
    """Yield who was forwarded for, the last first; None for what is no address."""
    told = ",".join(request.headers.getlist("x-forwarded-for"))
    for entry in reversed(told.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        yield _parsed(entry.strip())


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, as some proxies write it also with a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=1024)
def _named(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
