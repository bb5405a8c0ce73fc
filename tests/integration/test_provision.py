"""Making NATS what Moot needs, again and again, and refusing what can't be made so."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.ports import free_port
from moot.contracts.subjects import CHRONICLE, DEAD
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import LostAnswerError, NatsConnection
from moot.runtime.nats_monitor import SyncPolicy, sync_policy
from moot.runtime.provision import DURABLES, ProvisionError, check_chronicle, provision
from tests.support.servers import no_room_for

GOOD: dict[str, Any] = {
    "name": CHRONICLE,
    "subjects": ["chronicle.>"],
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "deny_delete": True,
    "deny_purge": True,
    "allow_direct": True,
    "allow_atomic": True,
}


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[NatsConnection]:
    connection = NatsConnection()
    await connection.open(nats_server.url, name="test")
    yield connection
    await connection.close()


async def config_of(connection: NatsConnection, request: str) -> dict[str, Any]:
    return (await ask(connection, request))["config"]


async def test_everything_is_created(nats_server: NatsServer, connection: NatsConnection) -> None:
    report = await provision(nats_server.url, nats_server.monitor_url)

    assert report.created == (CHRONICLE, DEAD, *(durable.name for durable in DURABLES))
    assert report.sync is SyncPolicy.ALWAYS
    assert "created CHRONICLE" in str(report)
    config = await config_of(connection, f"STREAM.INFO.{CHRONICLE}")
    assert GOOD.items() <= config.items()
    assert (config["max_msgs"], config["max_bytes"], config["max_age"]) == (-1, -1, 0)
    assert config["duplicate_window"] == 120_000_000_000
    assert await check_chronicle(connection, nats_server.monitor_url) == []


async def test_a_second_time_changes_nothing(nats_server: NatsServer) -> None:
    await provision(nats_server.url, nats_server.monitor_url)

    report = await provision(nats_server.url, nats_server.monitor_url)

    assert (report.created, report.updated) == ((), ())
    assert "everything is there" in str(report)


async def test_reactors_get_durables_of_their_own(
    nats_server: NatsServer, connection: NatsConnection
) -> None:
    await provision(nats_server.url)

    found = {
        durable.name: await config_of(connection, f"CONSUMER.INFO.{CHRONICLE}.{durable.name}")
        for durable in DURABLES
    }

    assert {name: config["filter_subject"] for name, config in found.items()} == {
        "allocator": "chronicle.topic.>",
        "announcer": "chronicle.topic.>",
        "announcer_deliveries": "chronicle.delivery.>",
    }
    for config in found.values():
        assert (config["ack_policy"], config["deliver_policy"]) == ("explicit", "all")
        assert config["max_deliver"] == -1
    assert {name: config["ack_wait"] / 1e9 for name, config in found.items()} == {
        "allocator": 1,
        "announcer": 5,
        "announcer_deliveries": 5,
    }


async def test_what_drifted_is_put_right(
    nats_server: NatsServer, connection: NatsConnection
) -> None:
    await ask(connection, f"STREAM.CREATE.{CHRONICLE}", {**GOOD, "allow_atomic": False})
    allocator = {"durable_name": "allocator", "ack_policy": "explicit", "ack_wait": 60_000_000_000}
    await ask(
        connection,
        f"CONSUMER.DURABLE.CREATE.{CHRONICLE}.allocator",
        {"stream_name": CHRONICLE, "config": allocator},
    )
    [problem] = await check_chronicle(connection)
    assert "allow_atomic is off, must be on" in problem

    report = await provision(nats_server.url)

    assert report.updated == (CHRONICLE, "allocator")
    assert await check_chronicle(connection) == []
    config = await config_of(connection, f"CONSUMER.INFO.{CHRONICLE}.allocator")
    assert (config["ack_wait"], config["filter_subject"]) == (1_000_000_000, "chronicle.topic.>")


@pytest.mark.parametrize(
    ("weakness", "said"),
    [
        ({"storage": "memory", "allow_atomic": False}, "storage is memory, must be file"),
        ({"max_age": 3_600_000_000_000}, "max_age is 3600000000000, must be 0"),
        ({"max_msgs": 1000}, "max_msgs is 1000, must be -1"),
        ({"discard": "old"}, "discard is old, must be new"),
        ({"deny_delete": False}, "deny_delete is off, must be on"),
        ({"deny_purge": False}, "deny_purge is off, must be on"),
        ({"allow_rollup_hdrs": True, "deny_purge": False}, "allow_rollup_hdrs is on, must be off"),
    ],
)
async def test_a_stream_with_weaker_settings_is_refused(
    nats_server: NatsServer, connection: NatsConnection, weakness: dict[str, Any], said: str
) -> None:
    await ask(connection, f"STREAM.CREATE.{CHRONICLE}", GOOD | weakness)

    with pytest.raises(ProvisionError, match=said):
        await provision(nats_server.url)
    assert any(said in problem for problem in await check_chronicle(connection))


async def test_before_provision_the_check_says_what_to_do(connection: NatsConnection) -> None:
    [problem] = await check_chronicle(connection)

    assert "moot provision" in problem


async def test_without_a_monitor_address_the_sync_policy_is_unknown(
    nats_server: NatsServer,
) -> None:
    assert (await provision(nats_server.url)).sync is SyncPolicy.UNKNOWN
    assert await sync_policy(f"http://127.0.0.1:{free_port()}") is SyncPolicy.UNKNOWN


async def test_a_server_that_answers_before_the_disk_has_it_is_refused(
    nats_server: NatsServer, connection: NatsConnection
) -> None:
    await provision(nats_server.url, nats_server.monitor_url)
    weaker = WeakServer(nats_server)
    await nats_server.stop()
    await weaker.start()

    with pytest.raises(ProvisionError, match="sync_interval: always"):
        await provision(nats_server.url, nats_server.monitor_url)
    await connection.until_connected()
    [problem] = await check_chronicle(connection, nats_server.monitor_url)
    assert "power cut" in problem
    await weaker.stop()


class WeakServer(NatsServer):
    """The same server with NATS's own default of when to write to disk."""

    def __init__(self, server: NatsServer) -> None:
        super().__init__(server.folder, port=server.port, monitor_port=server.monitor_port)

    def _configuration(self) -> str:
        return super()._configuration().replace('"always"', '"2m"')


async def test_no_server_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moot.runtime.provision._CONNECT_SECONDS", 0.3)

    with pytest.raises(ProvisionError, match="No NATS server answered"):
        await provision(f"nats://127.0.0.1:{free_port()}")


async def test_a_server_that_could_not_write_is_a_problem_until_it_is_started_again(
    nats_server: NatsServer, connection: NatsConnection
) -> None:
    await provision(nats_server.url, nats_server.monitor_url)
    with no_room_for(nats_server), pytest.raises(LostAnswerError):
        await connection.request("chronicle.topic.any", b"{}", timeout=0.5)

    [problem] = await check_chronicle(connection, nats_server.monitor_url)

    assert "stores nothing until it is started again" in problem
    await nats_server.kill()
    await nats_server.start()
    await connection.until_connected()
    assert await check_chronicle(connection, nats_server.monitor_url) == []
