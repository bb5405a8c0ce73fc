"""One Moot for several processes on this machine: the first starts it, and waits for the rest."""

import fcntl
import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

from moot.testing.fabric_guild import FabricGuild
from moot.testing.stack import MootStack

Start = Callable[[Path], AbstractContextManager[MootStack]]


@contextmanager
def shared(folder: Path, start: Start) -> Generator[MootStack]:
    """The Moot of all who name the folder. Who finds none starts one, and stops it after them all.

    `start` is given a folder of its own.
    """
    told = folder / "moot.json"
    with (folder / "turn").open("w") as turn, (folder / "users").open("w") as users:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if told.exists():
            stack = _read(told.read_text())
            _join(users, turn)
            yield stack
            return
        with start(Path(mkdtemp(dir=folder))) as stack:
            told.write_text(_written(stack))
            _join(users, turn)
            try:
                yield stack
            finally:
                _last_of_all(users, turn)
                told.unlink()
                fcntl.flock(turn, fcntl.LOCK_UN)


def _join(users: IO[str], turn: IO[str]) -> None:
    fcntl.flock(users, fcntl.LOCK_SH)
    fcntl.flock(turn, fcntl.LOCK_UN)


def _last_of_all(users: IO[str], turn: IO[str]) -> None:
    """Wait until nobody else uses it and it is our turn: then nobody begins to."""
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)
        # Let go of, or who has the turn and wants to join would wait for us, and we for them.
        fcntl.flock(users, fcntl.LOCK_UN)
        fcntl.flock(turn, fcntl.LOCK_EX)
        with suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        fcntl.flock(turn, fcntl.LOCK_UN)


def _written(stack: MootStack) -> str:
    return json.dumps(
        {
            "form": stack.form,
            "api_url": stack.api_url,
            "admin_key": stack.admin_key,
            "nats_url": stack.nats_url,
            "database_url": stack.database_url,
            "guild": stack.guild and asdict(stack.guild),
            "log": stack.log and str(stack.log),
        }
    )


def _read(text: str) -> MootStack:
    told = json.loads(text)
    guild, log = told.pop("guild"), told.pop("log")
    return MootStack(**told, guild=guild and FabricGuild(**guild), log=log and Path(log))
