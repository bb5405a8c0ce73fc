"""`moot credentials`: what the parts of a Moot identify themselves with, a folder for each part.

Each service reads only its own folder. What is there is never changed; what is in two folders is
the same in both.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from moot.cli.errors import SettingsError, SurroundingsError
from moot.cli.local.data_folder import write_privately

NATS_USERS = (
    "provision",
    "ticker",
    "allocator",
    "announcer",
    "projector",
    "api",
    "operator",
    "auditor",
)
PASSWORDS_FILE = "nats-passwords.conf"
SUPERUSER = "postgres"
SUPERUSER_PASSWORD_FILE = "postgres-superuser-password"  # noqa: S105 a name

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "postgres": (SUPERUSER_PASSWORD_FILE,),
    "migrate": ("postgres-superuser", "postgres-migrator"),
    "provision": ("nats-provision",),
    "ticker": ("nats-ticker", "postgres-ticker"),
    "allocator": ("nats-allocator", "draw-key"),
    "announcer": ("nats-announcer", "secret-key"),
    "projector": ("nats-projector", "postgres-projector"),
    "api": ("nats-api", "postgres-api", "admin-key", "agent-key-pepper", "secret-key"),
    "operator": ("nats-operator", "postgres-migrator", "admin-key"),
    "auditor": ("nats-auditor", "postgres-auditor"),
}
"""What each part reads. From it follows what the folder `nats` has: the passwords of all users."""

SERVICE_UID = 1000
POSTGRES_UID = 999


@dataclass(frozen=True)
class Places:
    """Where the servers are, as the parts of a Moot see it."""

    nats: str = "nats:4222"
    postgres: str = "postgres:5432"
    database: str = "moot"


def credentials(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where to keep them.")],
    nats: Annotated[str, typer.Option(metavar="HOST:PORT", help="NATS.")] = Places.nats,
    postgres: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="PostgreSQL.")
    ] = Places.postgres,
    database: Annotated[str, typer.Option(help="The Ops DB's name.")] = Places.database,
    for_containers: Annotated[
        bool,
        typer.Option(
            "--for-containers",
            help="As root: give each folder to the user that the container of that part runs as.",
        ),
    ] = False,
    nats_uid: Annotated[
        int, typer.Option(metavar="UID", help="Whom NATS's container runs as.")
    ] = 0,
) -> None:
    """Make the credentials that are missing; those that are there stay as they are."""
    owners = {"nats": nats_uid, "postgres": POSTGRES_UID} if for_containers else None
    written = make_credentials(directory, Places(nats, postgres, database), owners)
    typer.echo(f"Made {', '.join(written)}." if written else "Nothing was missing.")


def make_credentials(
    directory: Path, places: Places, owners: Mapping[str, int] | None = None
) -> list[str]:
    """Write what is missing, and return the files' names. Raises CommandError.

    With `owners`, the user of each folder that isn't a service's, folders are given to their
    readers, for which one has to be root; without, all stay the caller's own.
    """
    try:
        with _locked(directory):
            values = _with_missing(_known(directory), places)
            written = [
                f"{folder}/{name}"
                for folder, contents in _contents(values).items()
                for name, text in contents.items()
                if _write(directory / folder / name, text)
            ]
            for folder in (*FOLDERS, "nats") if owners is not None else ():
                _give(directory / folder, (owners or {}).get(folder, SERVICE_UID))
    except OSError as error:
        raise SurroundingsError(f"Can't keep credentials in {directory}: {error}") from error
    return written


def postgres_logins(directory: Path) -> dict[str, str]:
    """The address of each role of PostgreSQL, with its password. Raises SettingsError."""
    names = {name for contents in FOLDERS.values() for name in contents}
    roles = {name.removeprefix("postgres-") for name in names if name.startswith("postgres-")}
    roles -= {"superuser", "superuser-password"}
    return {role: _one(directory, f"postgres-{role}") for role in sorted(roles)}


def postgres_superuser(directory: Path) -> str:
    """The address of PostgreSQL's administrator. Raises SettingsError."""
    return _one(directory, "postgres-superuser")


def password_of(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def _one(directory: Path, name: str) -> str:
    try:
        return _known(directory)[name]
    except KeyError as error:
        raise SettingsError(f"{directory} has no {name}: see `moot credentials`.") from error
    except OSError as error:
        raise SettingsError(f"Can't read {error.filename}: {error.strerror}.") from error


def _known(directory: Path) -> dict[str, str]:
    """What is there already, by name. Raises SettingsError where two files differ."""
    known: dict[str, str] = {}
    for folder, names in FOLDERS.items():
        for name in names:
            file = directory / folder / name
            text = file.read_text(encoding="utf-8").strip() if file.exists() else ""
            if text and known.setdefault(name, text) != text:
                raise SettingsError(
                    f"{file} differs from the {name} of another part: remove the one that is old."
                )
    return known


def _with_missing(known: Mapping[str, str], places: Places) -> dict[str, str]:
    values = dict(known)
    for name in sorted({name for names in FOLDERS.values() for name in names} - known.keys()):
        kind, _, of = name.partition("-")
        secret = secrets.token_hex(32)
        if kind == "nats":
            values[name] = f"nats://{of}:{secret}@{places.nats}"
        elif kind == "postgres" and of.startswith("superuser"):
            continue
        elif kind == "postgres":
            values[name] = f"postgresql://{_login(of)}:{secret}@{places.postgres}/{places.database}"
        else:
            values[name] = secret
    url = known.get("postgres-superuser")
    password = known.get(SUPERUSER_PASSWORD_FILE) or (password_of(url) if url else None)
    password = values[SUPERUSER_PASSWORD_FILE] = password or secrets.token_hex(32)
    at = f"{places.postgres}/{places.database}"
    values["postgres-superuser"] = url or f"postgresql://{SUPERUSER}:{password}@{at}"
    return values


def _login(role: str) -> str:
    from moot.projector.roles import LOGINS  # noqa: PLC0415 - SQLAlchemy is slow to import

    return LOGINS[role]


def _contents(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What each file is to have in it, by folder and name."""
    passwords = {user: password_of(values[f"nats-{user}"]) for user in NATS_USERS}
    for user, password in passwords.items():
        # It stands in an address and in NATS's own syntax, which quote differently.
        if not re.fullmatch(r"[A-Za-z0-9_-]+", password):
            raise SettingsError(f"nats-{user}: the password has other signs than A-Z a-z 0-9 _ -.")
    lines = [f'{user.upper()}_PASSWORD: "{password}"\n' for user, password in passwords.items()]
    contents = {f: {n: f"{values[n]}\n" for n in names} for f, names in FOLDERS.items()}
    return {**contents, "nats": {PASSWORDS_FILE: "".join(lines)}}


def _write(file: Path, text: str) -> bool:
    """Write it unless that stands there; say whether it was written."""
    if file.exists() and file.read_text(encoding="utf-8").strip() == text.strip():
        return False
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_privately(file, text)
    return True


def _give(folder: Path, owner: int) -> None:
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner, owner)


@contextmanager
def _locked(directory: Path) -> Generator[None]:
    """Let nobody else make any here meanwhile."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
