"""The folder a local stack keeps its data in: one stack at a time, secrets that stay."""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moot.cli.errors import SurroundingsError

SECRETS_FILE = "secrets.json"
RUNNING_FILE = "running.json"
LOCK_FILE = "lock"


def _new_secret() -> str:
    return secrets.token_hex(32)


class Secrets(BaseModel):
    """Made at the first start and kept: agent keys and draws are worthless without them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    MOOT_ADMIN_KEY: str = Field(default_factory=_new_secret, repr=False, min_length=1)
    MOOT_AGENT_KEY_PEPPER: str = Field(default_factory=_new_secret, repr=False, min_length=1)
    MOOT_SECRET_KEY: str = Field(default_factory=_new_secret, repr=False, min_length=1)
    MOOT_DRAW_KEY: str = Field(default_factory=_new_secret, repr=False, min_length=1)
    postgres_password: str = Field(default_factory=_new_secret, repr=False, min_length=1)

    def for_services(self) -> dict[str, str]:
        """By the names that services read them from."""
        return self.model_dump(exclude={"postgres_password"})


@contextmanager
def data_folder(path: Path) -> Generator[Path]:
    """Make the folder if need be and keep others out of it; gives its absolute path.

    Raises SurroundingsError when it can't be written to or another `moot up` has it.
    """
    folder = path.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SurroundingsError(
            f"Can't keep data in {folder}: {error.strerror}. Choose another folder with --data."
        ) from error
    try:
        _lock(lock, folder)
        yield folder
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SurroundingsError(
            f"Another `moot up` runs on {folder}: stop it, or choose another folder with --data."
        ) from error


def kept_secrets(folder: Path) -> Secrets:
    """The folder's secrets, made where they are missing."""
    file = folder / SECRETS_FILE
    try:
        kept = Secrets.model_validate_json(file.read_bytes()) if file.exists() else Secrets()
        write_privately(file, kept.model_dump_json(indent=2))
    except (ValidationError, OSError) as error:
        raise SurroundingsError(f"Can't keep the secrets in {file}: {error}") from error
    return kept


def write_privately(file: Path, text: str) -> None:
    """Replace `file` by one that only we can read, all or nothing."""
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(writing.fileno())
    draft.replace(file)
