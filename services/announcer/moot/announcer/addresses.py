"""To which addresses a webhook's host may lead: public ones, and what an operator allows.

A host is resolved once for each post, and the connection goes to an address that was checked: a
name that means something else a moment later leads nowhere new.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

AT_ONCE: Final = 32
"""Names looked up at once: one whose servers are silent takes a thread for as long."""

MOST_ADDRESSES: Final = 3

_V4_REFUSED: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host, a public address that every machine there reaches
        "169.254.0.0/16",  # link-local; the other clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_V6_GLOBAL: Final = ip_network("2000::/3")
_V6_REFUSED: Final = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 leads to the IPv4 address inside
        "3fff::/20",
    )
)
_NAT64: Final = ip_network("64:ff9b::/96")

Lookup = Callable[[str, int], Sequence[str]]
"""Host and port → addresses. Raises OSError when there are none."""


class AddressRefusedError(Exception):
    """The host leads to no address that may be called; the text says which."""


def is_public(address: str) -> bool:
    """Whether `address` is one that anybody on the internet could be reached at."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _V4_REFUSED)
    inside = _inside(parsed)
    if inside is not None:
        return is_public(str(inside))
    if parsed.scope_id is not None or parsed not in _V6_GLOBAL:
        return False
    return not any(parsed in network for network in _V6_REFUSED)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a mapped or translated one leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def look_up(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Addresses:
    def __init__(self, allowed_hosts: frozenset[str], lookup: Lookup = look_up) -> None:
        self._allowed_hosts = allowed_hosts
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="lookup")

    async def of(self, host: str, port: int) -> Sequence[str]:
        """Return where `host` may be called. Raises AddressRefusedError, and OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port)
        if not self._allowed_hosts & {host, f"{host}:{port}"}:
            refused = [address for address in found if not is_public(address)]
            if refused:
                raise AddressRefusedError(f"{host} leads to {refused[0]}, which isn't public")
        return found[:MOST_ADDRESSES]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
