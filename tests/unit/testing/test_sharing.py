"""Of many processes one starts a Moot, and stops it when nobody uses it any more."""

import multiprocessing
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

from moot.testing import FabricGuild, MootStack
from moot.testing.sharing import shared

WORKERS = 4


@contextmanager
def pretended(folder: Path) -> Generator[MootStack]:
    """A stack that is running as long as a file of it is there."""
    file = folder / "running"
    file.touch()
    guild = FabricGuild("http://guild", "news")
    yield MootStack("wheels", "http://moot", "key", guild=guild, log=file)
    file.unlink()


def use(folder: Path, everybody: Barrier) -> None:
    """A worker: all of them use it at the same time, then one after the other lets go of it."""
    with shared(folder, pretended) as stack:
        everybody.wait(20)
        assert stack.log is not None
        assert stack.log.exists()
        (folder / f"saw-{stack.log.parent.name}-{multiprocessing.current_process().pid}").touch()
        everybody.wait(20)


def test_all_use_one_which_ends_when_all_have_ended(tmp_path: Path) -> None:
    spawning = multiprocessing.get_context("spawn")
    everybody = spawning.Barrier(WORKERS)
    workers = [spawning.Process(target=use, args=(tmp_path, everybody)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * WORKERS
    (started,) = [folder for folder in tmp_path.iterdir() if folder.is_dir()]
    saw = {file.name.removeprefix("saw-").rpartition("-")[0] for file in tmp_path.glob("saw-*")}
    assert saw == {started.name}
    assert not (started / "running").exists()


def test_what_is_shared_is_whole_and_who_comes_late_starts_another(tmp_path: Path) -> None:
    with shared(tmp_path, pretended) as first, shared(tmp_path, pretended) as second:
        assert second == first
    with shared(tmp_path, pretended) as third:
        assert third.log != first.log
