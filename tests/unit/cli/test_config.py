"""`moot config`: what each service would make of the environment."""

from pathlib import Path

import pytest

from moot.cli.config import HIDDEN, check, problems_of, settings_class, show, shown_settings
from moot.cli.errors import SettingsError
from moot.cli.local.plan import SERVICES

SECRETS = {
    "MOOT_ADMIN_KEY": "admin-key-made-up",
    "MOOT_AGENT_KEY_PEPPER": "pepper-made-up-for-tests",
    "MOOT_DRAW_KEY": "draw-key-made-up-for-tests",
    "MOOT_SECRET_KEY": "secret-key-made-up-for-tests",
}
SERVERS = {
    "NATS_URL": "nats://moot:word-made-up@nats",
    "DATABASE_URL": "postgresql://moot:word-made-up@postgres/moot",
}


@pytest.fixture(autouse=True)
def complete_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, **SERVERS}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_settings_that_can_be_right(service: str) -> None:
    assert problems_of(service) == []


def test_check_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://elsewhere")
    monkeypatch.setenv("MOOT_DRAW_KEYS", "a")
    monkeypatch.delenv("MOOT_SECRET_KEY")
    with pytest.raises(SettingsError) as refused:
        check()
    lines = str(refused.value).splitlines()
    assert "api: MOOT_SECRET_KEY: is required" in lines
    assert "projector: DATABASE_URL: must start with postgresql://" in lines
    assert "ticker: MOOT_DRAW_KEYS: is not a setting of Moot; did you mean MOOT_DRAW_KEY?" in lines


def test_check_says_when_all_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    check()
    assert capsys.readouterr().out == "Every service can start with these settings.\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_show_hides_secrets(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:  # noqa: FBT001 - a parameter
    show(as_json=as_json)
    shown = capsys.readouterr().out
    assert "made-up" not in shown
    assert "POOL_SIZE" in shown


def test_show_gives_values_and_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TICK_INTERVAL", "5s")
    monkeypatch.delenv("MOOT_DRAW_KEY")
    monkeypatch.setenv("MOOT_DRAW_KEY_FILE", str(tmp_path / "draw"))
    assert shown_settings("ticker")["ORCHESTRATOR_TICK_INTERVAL"] == "5s"
    assert shown_settings("ticker")["POOL_SIZE"] == "2"
    assert shown_settings("allocator")["MOOT_DRAW_KEY"] == HIDDEN


def test_each_service_has_settings_of_its_own() -> None:
    assert len({settings_class(service) for service in SERVICES}) == len(SERVICES)
