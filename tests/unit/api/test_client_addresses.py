"""Where a request comes from, whatever its sender says."""

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from moot.api.client_addresses import MOST_HOPS, ClientAddresses

BEHIND_PROXIES = ClientAddresses((ip_network("10.0.0.0/8"), ip_network("2001:db8:a::/48")))


def request_from(host: str, *forwarded_for: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded_for]
    return Request({"type": "http", "client": (host, 1), "headers": headers})


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a-socket", "a-socket"),
    ],
)
def test_it_is_an_address_or_a_network_of_one_host(host: str, address: str) -> None:
    assert ClientAddresses().of(request_from(host)) == address


@pytest.mark.parametrize(
    ("host", "forwarded_for", "address"),
    [
        ("10.1.1.1", ["192.0.2.7"], "192.0.2.7"),
        ("::ffff:10.1.1.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.1.1.1", ["192.0.2.7, 10.2.2.2"], "192.0.2.7"),
        ("10.1.1.1", ["192.0.2.7", "10.2.2.2, 10.3.3.3"], "192.0.2.7"),
        ("2001:db8:a::1", ["2001:db8:b:1::9, 10.2.2.2"], "2001:db8:b:1::/64"),
        ("10.1.1.1", ["192.0.2.7:4711"], "192.0.2.7"),
        ("10.1.1.1", ["[2001:db8:b:1::9]:4711"], "2001:db8:b:1::/64"),
        # All of them are ours: whoever is farthest.
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.1.1.1", [], "10.1.1.1"),
    ],
)
def test_trusted_proxies_say_whom_they_ask_for(
    host: str, forwarded_for: list[str], address: str
) -> None:
    assert BEHIND_PROXIES.of(request_from(host, *forwarded_for)) == address


@pytest.mark.parametrize(
    ("host", "forwarded_for", "address"),
    [
        # Not through a proxy of ours at all.
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("192.0.2.7", ["198.51.100.1, 10.1.1.1"], "192.0.2.7"),
        # Through one: it wrote the last entry, the client all before it.
        ("10.1.1.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("10.1.1.1", ["10.9.9.9, 192.0.2.7"], "192.0.2.7"),
        ("10.1.1.1", ["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        ("10.1.1.1", ["192.0.2.7, nonsense"], "10.1.1.1"),
        ("10.1.1.1", ["192.0.2.7, , 10.2.2.2"], "10.2.2.2"),
        ("10.1.1.1", ["192.0.2.7" + ", 10.2.2.2" * MOST_HOPS], "10.2.2.2"),
    ],
)
def test_what_a_client_writes_counts_for_nothing(
    host: str, forwarded_for: list[str], address: str
) -> None:
    assert BEHIND_PROXIES.of(request_from(host, *forwarded_for)) == address


def test_without_trusted_proxies_the_header_counts_for_nothing() -> None:
    assert ClientAddresses().of(request_from("10.1.1.1", "192.0.2.7")) == "10.1.1.1"
