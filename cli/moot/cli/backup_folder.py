"""A backup on disk: a folder for each stream, as `nats stream backup` writes it, and what it has.

moot-backup.json           when it was taken, and of each stream its state and the file's hash
CHRONICLE/backup.json      the stream's configuration and state
CHRONICLE/stream.tar.s2    its messages and consumers, as JetStream sends them
DEAD/…
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from moot.cli.errors import CommandError, SurroundingsError
from moot.contracts.shape import Moment
from moot.runtime.stream_backup import Snapshot

MANIFEST = "moot-backup.json"
CONFIGURATION = "backup.json"
CONTENT = "stream.tar.s2"
PIECE_BYTES = 1024 * 1024


class StreamCopy(BaseModel):
    """What a backup has of one stream. Positions are 0 where there is no message."""

    model_config = ConfigDict(frozen=True)

    messages: int
    first_position: int
    last_position: int
    last_stored_at: datetime | None
    content_bytes: int
    sha256: str


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    format: int = 1
    taken_at: Moment
    streams: dict[str, StreamCopy]


class BackupWriter:
    """Writes into a folder that gets its name when everything is in it, and on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._streams: dict[str, StreamCopy] = {}

    @contextmanager
    def content(self, stream: str) -> Generator[Callable[[bytes], None]]:
        (self._folder / stream).mkdir()
        with (self._folder / stream / CONTENT).open("wb") as file:

            def write(piece: bytes) -> None:
                file.write(piece)

            yield write
            _on_disk(file)

    def described(self, stream: str, snapshot: Snapshot) -> StreamCopy:
        state = snapshot.state
        content = self._folder / stream / CONTENT
        written = {"config": snapshot.config, "state": state}
        _write(self._folder / stream / CONFIGURATION, json.dumps(written, indent=2))
        copy = StreamCopy(
            messages=state["messages"],
            first_position=state["first_seq"] if state["messages"] else 0,
            last_position=state["last_seq"],
            last_stored_at=state["last_ts"] if state["messages"] else None,
            content_bytes=content.stat().st_size,
            sha256=_sha256(content),
        )
        self._streams[stream] = copy
        return copy

    def finished(self, taken_at: datetime) -> Manifest:
        manifest = Manifest(taken_at=taken_at, streams=self._streams)
        _write(self._folder / MANIFEST, manifest.model_dump_json(indent=2))
        return manifest


@contextmanager
def written(folder: Path) -> Generator[BackupWriter]:
    """Raises SurroundingsError where the folder exists, or nothing can be written."""
    partial = folder.with_name(f".{folder.name}.partial")
    if folder.exists():
        raise SurroundingsError(f"{folder} exists: a backup is written to a folder of its own.")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield BackupWriter(partial)
            partial.rename(folder)
            _sync_folder(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise SurroundingsError(f"Can't write to {folder}: {error.strerror or error}.") from error


def read_manifest(folder: Path) -> Manifest:
    """Check each file against what was written. Raises CommandError for what isn't a backup."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise CommandError(f"{folder} is no backup: {MANIFEST}: {error.strerror}.") from error
    except ValidationError as error:
        raise CommandError(f"{folder} is no backup: {MANIFEST} can't be read.") from error
    for stream, copy in manifest.streams.items():
        content = folder / stream / CONTENT
        if not content.is_file() or _sha256(content) != copy.sha256:
            raise CommandError(f"{content} isn't what was written: the backup is damaged.")
    return manifest


def read_snapshot(folder: Path, stream: str) -> Snapshot:
    read: dict[str, Any] = json.loads((folder / stream / CONFIGURATION).read_bytes())
    return Snapshot(read["config"], read["state"])


def read_content(folder: Path, stream: str) -> Iterator[bytes]:
    with (folder / stream / CONTENT).open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        _on_disk(file)


def _on_disk(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
