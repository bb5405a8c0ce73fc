"""Settings come from the environment and from files; what is wrong is named, never shown."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from moot.runtime.settings import (
    DatabaseSettings,
    Duration,
    RuntimeSettings,
    SettingsError,
    load_settings,
    read_settings,
)

NATS = "nats://127.0.0.1:4222"


class Example(RuntimeSettings):
    tick_interval: Duration = timedelta(seconds=15)
    admin_key: SecretStr = Field(default=SecretStr(""), validation_alias="MOOT_ADMIN_KEY")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """With what is required, and nothing else that Moot would read."""
    for name in ("HEALTH_PORT", "TICK_INTERVAL", "MOOT_ADMIN_KEY", "MOOT_REPLICA", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NATS_URL", NATS)
    return monkeypatch


def problems(settings_class: type[RuntimeSettings]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read_settings(settings_class)
    return raised.value.problems


def test_what_isnt_given_has_its_default(environment: pytest.MonkeyPatch) -> None:
    settings = read_settings(Example)
    assert (settings.nats_url, settings.health_port) == (NATS, 0)
    assert settings.replica
    environment.setenv("HEALTH_PORT", "8081")
    assert read_settings(Example).health_port == 8081


def test_an_empty_variable_is_one_that_isnt_given(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HEALTH_PORT", "")
    assert read_settings(Example).health_port == 0
    environment.setenv("NATS_URL", "")
    assert problems(Example) == ["NATS_URL: is required"]


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("15s", timedelta(seconds=15)),
        ("2h", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("0.5s", timedelta(milliseconds=500)),
        ("-1s", timedelta(seconds=-1)),
        ("7d", timedelta(days=7)),
        ("PT15S", timedelta(seconds=15)),
        ("P1DT2H", timedelta(hours=26)),
    ],
)
def test_durations(environment: pytest.MonkeyPatch, text: str, duration: timedelta) -> None:
    environment.setenv("TICK_INTERVAL", text)
    assert read_settings(Example).tick_interval == duration


@pytest.mark.parametrize("text", ["soon", "15 parsecs", "s", "15s!"])
def test_what_is_no_duration_is_named(environment: pytest.MonkeyPatch, text: str) -> None:
    environment.setenv("TICK_INTERVAL", text)
    assert [line.partition(":")[0] for line in problems(Example)] == ["TICK_INTERVAL"]


def test_any_setting_may_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a secret\n", encoding="utf-8")
    environment.setenv("MOOT_ADMIN_KEY_FILE", str(file))
    assert read_settings(Example).admin_key.get_secret_value() == "a secret"
    environment.setenv("MOOT_ADMIN_KEY", "another")
    assert "MOOT_ADMIN_KEY_FILE too" in problems(Example)[0]


def test_a_missing_file_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("MOOT_ADMIN_KEY_FILE", str(tmp_path / "gone"))
    assert problems(Example) == [
        f"MOOT_ADMIN_KEY_FILE: {tmp_path / 'gone'}: No such file or directory"
    ]


def test_an_unknown_name_is_refused_with_the_likely_one(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MOOT_ADMIN_KYE", "x")
    assert problems(Example) == [
        "MOOT_ADMIN_KYE: is not a setting of Moot; did you mean MOOT_ADMIN_KEY?"
    ]


def test_another_services_settings_are_no_problem(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MOOT_DRAW_KEY", "x")
    environment.setenv("MOOT_TEST_API_URL", "http://elsewhere")
    assert read_settings(RuntimeSettings).nats_url == NATS


def test_every_problem_has_its_line_and_the_exit_code_is_2(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("DATABASE_URL", "mysql://root:hunter2@db/moot")
    environment.setenv("POOL_SIZE", "many")
    environment.setenv("MOOT_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as ended:
        load_settings(DatabaseSettings)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split(": ")[1] for line in lines) == [
        "DATABASE_URL",
        "MOOT_LOG_LEVEL",
        "POOL_SIZE",
    ]
    assert not [line for line in lines if "hunter2" in line], "no value is shown"


def test_settings_are_frozen_and_show_no_password() -> None:
    url = "postgresql://moot:hunter2@db/moot"
    settings = DatabaseSettings(nats_url="nats://moot:hunter2@nats", database_url=url)
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.pool_size = 3


def test_the_listener_takes_the_direct_address_if_there_is_one() -> None:
    pooled, direct = "postgresql://pooler/moot", "postgresql://db/moot"
    settings = DatabaseSettings(nats_url=NATS, database_url=pooled)
    assert settings.listener_url == pooled
    settings = DatabaseSettings(nats_url=NATS, database_url=pooled, database_url_direct=direct)
    assert settings.listener_url == direct
