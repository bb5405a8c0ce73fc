"""What a local stack is made of, and what its services are given."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest

from moot.cli.errors import SettingsError
from moot.cli.local.external import external_servers, is_given, value_of, with_secrets
from moot.cli.local.lines import Lines
from moot.cli.local.plan import SERVICES, Servers, replicas_of, service_environment

OURS = Servers("nats://127.0.0.1:4222", "http://127.0.0.1:8222", "postgresql://127.0.0.1/moot")


def environment_of(
    name: str, *, inherited: Mapping[str, str], servers: Servers = OURS
) -> dict[str, str]:
    return service_environment(name, 2, port=18001, servers=servers, inherited=inherited)


def test_every_service_is_started_once_unless_said_otherwise() -> None:
    assert replicas_of(None, []) == dict.fromkeys(SERVICES, 1)
    assert replicas_of(None, ["ticker=3", "api=2"])["ticker"] == 3


@pytest.mark.parametrize("services", ["", "none", " , "])
def test_none_of_the_services_can_be_asked_for(services: str) -> None:
    assert replicas_of(services, []) == {}


def test_services_are_started_as_listed() -> None:
    assert replicas_of("api, ticker", ["ticker=2"]) == {"api": 1, "ticker": 2}


def test_a_service_gets_its_servers_name_and_port() -> None:
    given = environment_of("ticker", inherited={"FABRIC_ANNOUNCE_CHANNEL_ID": "7"})
    assert given["NATS_URL"] == OURS.nats_url
    assert given["NATS_MONITOR_URL"] == OURS.nats_monitor_url
    assert given["DATABASE_URL"] == OURS.database_url
    assert given["MOOT_REPLICA"] == "ticker-2"
    assert given["HEALTH_PORT"] == "18001"
    assert given["FABRIC_ANNOUNCE_CHANNEL_ID"] == "7"
    assert "MOOT_API_PORT" not in given


def test_the_api_serves_its_health_where_it_serves_all() -> None:
    given = environment_of("api", inherited={"HEALTH_PORT": "9"})
    assert (given["MOOT_API_HOST"], given["MOOT_API_PORT"]) == ("127.0.0.1", "18001")
    assert not given["HEALTH_PORT"]


def test_what_the_stack_says_itself_is_said_once() -> None:
    inherited = {
        "NATS_URL_FILE": "/run/secrets/nats",
        "DATABASE_URL_DIRECT": "postgresql://elsewhere/moot",
        "MOOT_DRAW_KEY_FILE": "/run/secrets/draw",
    }
    given = environment_of("allocator", inherited=inherited)
    assert "NATS_URL_FILE" not in given
    assert not given["DATABASE_URL_DIRECT"]
    assert given["MOOT_DRAW_KEY_FILE"] == "/run/secrets/draw"


def test_servers_of_ones_own_are_used_with_all_that_is_said_of_them(tmp_path: Path) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("postgresql://moot:hidden@db/moot\n")
    environment = {"NATS_URL": "nats://nats", "DATABASE_URL_FILE": str(secret)}
    assert external_servers(environment) == Servers(
        "nats://nats", None, "postgresql://moot:hidden@db/moot", None
    )
    assert "hidden" not in repr(external_servers(environment))


def test_without_servers_of_ones_own_there_are_none() -> None:
    assert external_servers({"NATS_URL": "", "DATABASE_URL": ""}) is None


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="NATS_URL_FILE: can't read"):
        value_of("NATS_URL", {"NATS_URL_FILE": str(tmp_path / "missing")})


def test_secrets_that_somebody_gives_come_before_the_kept() -> None:
    kept = {"MOOT_ADMIN_KEY": "kept", "MOOT_DRAW_KEY": "kept", "MOOT_SECRET_KEY": "kept"}
    given = {"MOOT_ADMIN_KEY": "given", "MOOT_DRAW_KEY_FILE": "/run/secrets/draw"}
    assert with_secrets(given, kept) == {**given, "MOOT_SECRET_KEY": "kept"}
    assert is_given("MOOT_DRAW_KEY", given)


def test_each_line_says_who_said_it() -> None:
    stream = StringIO()
    lines = Lines(stream)
    lines.sink("ticker-1")("ready")
    lines.tell("api-1", "first\nsecond")
    assert stream.getvalue() == (
        "ticker-1     │ ready\napi-1        │ first\napi-1        │ second\n"
    )


def test_nobody_reading_stops_nothing() -> None:
    stream = StringIO()
    lines = Lines(stream)
    stream.close()
    lines.tell("api-1", "still here")
    assert stream.closed
