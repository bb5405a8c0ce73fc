"""Which addresses a webhook may lead to."""

import asyncio
from collections.abc import Sequence

import pytest

from moot.announcer.addresses import Addresses, AddressRefusedError, is_public

REFUSED = [
    "0.0.0.0",  # noqa: S104 to be refused, not bound
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700:4700::1111%eth0",
    "localhost",
    "",
]
PUBLIC = [
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "223.255.255.255",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82f::200e",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_not_everybody_reaches_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert is_public(address)


def found(*addresses: str, allowed: frozenset[str] = frozenset()) -> Addresses:
    return Addresses(allowed, lambda _, __: addresses)


async def test_a_name_with_one_address_that_is_not_public_is_refused() -> None:
    with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.1"):
        await found("1.1.1.1", "10.0.0.1").of("both.example", 443)
    assert await found("1.1.1.1", "2606:4700:4700::1111").of("good.example", 443) == (
        "1.1.1.1",
        "2606:4700:4700::1111",
    )


async def test_an_operator_may_allow_a_host_or_one_port_of_it() -> None:
    host = found("10.0.0.1", allowed=frozenset({"inside.example"}))
    assert await host.of("inside.example", 8443) == ("10.0.0.1",)
    port = found("10.0.0.1", allowed=frozenset({"inside.example:8443"}))
    assert await port.of("inside.example", 8443) == ("10.0.0.1",)
    with pytest.raises(AddressRefusedError):
        await port.of("inside.example", 443)
    with pytest.raises(AddressRefusedError):
        await host.of("elsewhere.example", 8443)


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "127.1", "::1", "localhost"])
async def test_the_systems_own_way_to_look_up_is_checked(host: str) -> None:
    with pytest.raises(AddressRefusedError):
        await Addresses(frozenset()).of(host, 80)


async def test_a_name_server_that_is_silent_delays_no_other_name() -> None:
    silent = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_up(host: str, _: int) -> Sequence[str]:
        if host == "silent.example":
            asyncio.run_coroutine_threadsafe(silent.wait(), loop).result()
        return ("1.1.1.1",)

    addresses = Addresses(frozenset(), look_up)
    waiting = [asyncio.create_task(addresses.of("silent.example", 443)) for _ in range(16)]
    async with asyncio.timeout(5):
        assert await addresses.of("quick.example", 443) == ("1.1.1.1",)
    assert not any(one.done() for one in waiting)
    silent.set()
    await asyncio.gather(*waiting)
    addresses.close()
