"""Credentials are made once, each is told to those who need it, and what is there stays."""

import re
import stat
from pathlib import Path

import pytest

from moot.cli.credentials import (
    FOLDERS,
    NATS_USERS,
    PASSWORDS_FILE,
    Places,
    make_credentials,
    password_of,
    postgres_logins,
    postgres_superuser,
)
from moot.cli.errors import SettingsError

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "nats" / "nats-server.conf"
PLACES = Places("nats.example:4222", "postgres.example:5432", "debates")


def files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_every_part_has_what_it_reads_and_only_its_owner_can(tmp_path: Path) -> None:
    made = make_credentials(tmp_path, PLACES)
    expected = {f"{folder}/{name}" for folder, names in FOLDERS.items() for name in names}
    assert set(made) == set(files(tmp_path)) == expected | {f"nats/{PASSWORDS_FILE}"}
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.rglob("*") if file.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in tmp_path.iterdir()} == {0o700}


def test_what_is_there_stays_and_only_what_is_missing_is_made(tmp_path: Path) -> None:
    make_credentials(tmp_path, PLACES)
    before = files(tmp_path)
    assert make_credentials(tmp_path, Places()) == []
    assert files(tmp_path) == before
    for name in ("ticker/nats-ticker", "api/secret-key"):
        (tmp_path / name).unlink()
    made = make_credentials(tmp_path, PLACES)
    after = files(tmp_path)
    assert set(made) == {"ticker/nats-ticker", "api/secret-key", f"nats/{PASSWORDS_FILE}"}
    assert after["api/secret-key"] == before["announcer/secret-key"]
    assert after["ticker/nats-ticker"] != before["ticker/nats-ticker"]


def test_addresses_say_where_and_as_whom(tmp_path: Path) -> None:
    make_credentials(tmp_path, PLACES)
    nats = (tmp_path / "api" / "nats-api").read_text().strip()
    assert re.fullmatch(r"nats://api:[0-9a-f]{64}@nats\.example:4222", nats)
    logins = postgres_logins(tmp_path)
    assert set(logins) == {"migrator", "projector", "ticker", "api", "auditor"}
    where = "@postgres.example:5432/debates"
    assert all(url.endswith(where) for url in (*logins.values(), postgres_superuser(tmp_path)))
    assert len({password_of(url) for url in logins.values()}) == len(logins)


def test_nats_knows_the_passwords_that_the_addresses_have(tmp_path: Path) -> None:
    make_credentials(tmp_path, PLACES)
    told = (tmp_path / "nats" / PASSWORDS_FILE).read_text()
    for user in NATS_USERS:
        password = password_of((tmp_path / user / f"nats-{user}").read_text().strip())
        assert f'{user.upper()}_PASSWORD: "{password}"\n' in told
    needed = set(re.findall(r"password: \$(\w+)", CONFIGURATION.read_text()))
    assert needed == {f"{user.upper()}_PASSWORD" for user in NATS_USERS}


def test_two_parts_that_have_different_keys_are_told_so(tmp_path: Path) -> None:
    make_credentials(tmp_path, PLACES)
    (tmp_path / "announcer" / "secret-key").write_text("another")
    with pytest.raises(SettingsError, match="secret-key"):
        make_credentials(tmp_path, PLACES)


@pytest.mark.parametrize("password", ['a"b', "a%22b", "a b", ""])
def test_a_password_that_nats_would_read_otherwise_is_refused(
    tmp_path: Path, password: str
) -> None:
    make_credentials(tmp_path, PLACES)
    (tmp_path / "api" / "nats-api").write_text(f"nats://api:{password}@nats:4222")
    with pytest.raises(SettingsError, match="nats-api"):
        make_credentials(tmp_path, PLACES)
