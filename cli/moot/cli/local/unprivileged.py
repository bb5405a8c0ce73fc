"""Who PostgreSQL runs as, since it refuses to be root, and where that user finds its programs."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moot.cli.errors import SurroundingsError
from moot.cli.local.process import dying_with_parent

ROOT = 0
NOBODY = 65534

# Tried in this order when the data lie under a folder that NOBODY can't enter. The second is for
# containers, whose root has it and lacks the first.
CAPABILITIES = ("dac_read_search", "dac_override")

# Where programs are copied to when NOBODY can't enter the folder they are installed in.
COPY_FOLDERS = (Path("/var/tmp"), Path("/usr/local/lib"))  # noqa: S108 - _is_ours looks at who made it


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a command runs as; None is the one who runs us."""

    user: int | None = None
    capability: str | None = None

    def prefix(self, death_signal: signal.Signals | None = None) -> list[str]:
        """Arguments to put before a command; `death_signal` is what it gets when we are gone."""
        if self.user is None:
            return dying_with_parent(death_signal) if death_signal else []
        command = [_setpriv(), f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        if self.capability:
            only = f"-all,+{self.capability}"
            command += [f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}"]
        if death_signal:
            command += ["--pdeathsig", death_signal.name.removeprefix("SIG")]
        return [*command, "--"]

    def can(self, command: Sequence[str]) -> bool:
        """Whether `command` ends well as this user."""
        tried = subprocess.run([*self.prefix(), *command], check=False, capture_output=True)
        return tried.returncode == 0

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if self.user is not None:
            os.chown(path, self.user, self.user)


def run_as_for(folder: Path) -> RunAs:
    """Who may run a server that keeps its data in `folder`, which exists and becomes theirs.

    Root drops to whoever owns `folder` already (somebody may have started there as themselves),
    else to NOBODY, with a capability when a parent of `folder` is closed to that user.
    Raises SurroundingsError when nothing helps.
    """
    if os.geteuid() != ROOT:
        return RunAs()
    user = folder.stat().st_uid or NOBODY
    RunAs(user).give(folder)
    for capability in (None, *CAPABILITIES):
        run_as = RunAs(user, capability)
        if run_as.can(["sh", "-c", 'cd "$0" && : >.probe && rm .probe', str(folder)]):
            return run_as
    raise SurroundingsError(
        f"PostgreSQL can't run as root, and user {user} can't be given {folder}: "
        "choose a data folder whose parents others may enter, or don't run this as root."
    )


def programs_for(run_as: RunAs, installed: Path, names: Sequence[str], version: str) -> Path:
    """A folder with what is in `installed` under `names`, that `run_as` can execute programs from.

    `installed` itself where it can, else a copy that is made once for each `version`. A capability
    doesn't help here: PostgreSQL looks for its own files with access(2), which ignores them.
    """
    plain = RunAs(run_as.user)
    if plain.user is None or plain.can(["test", "-x", str(installed / names[0])]):
        return installed
    folder_name = f"moot-postgresql-{re.sub(r'[^0-9.]', '', version)}"
    for parent in COPY_FOLDERS:
        copied = parent / folder_name
        if not copied.exists():
            _copy(installed, names, copied)
        if _is_ours(copied) and plain.can(["test", "-x", str(copied / names[0])]):
            return copied
    raise SurroundingsError(
        f"User {run_as.user} can't enter {installed}, nor run programs copied to any of "
        f"{', '.join(map(str, COPY_FOLDERS))}: install Moot where others may read."
    )


def _copy(installed: Path, names: Sequence[str], target: Path) -> None:
    """Copy all or nothing: the copy gets its name when it is complete."""
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError:
        return
    try:
        for name in names:
            source = installed / name
            if source.is_dir():
                shutil.copytree(source, draft / name)
            else:
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, draft / name)
        draft.chmod(0o755)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether nobody but us can have written there: others may write to the folder it lies in."""
    try:
        seen = folder.lstat()
    except OSError:
        return False
    is_open = bool(seen.st_mode & 0o022)
    return folder.is_dir() and not folder.is_symlink() and seen.st_uid == ROOT and not is_open


def _setpriv() -> str:
    found = shutil.which("setpriv")
    if found is None:
        raise SurroundingsError(
            "PostgreSQL can't run as root, and there is no setpriv (util-linux) to run it as "
            "another user: install that, or don't run this as root."
        )
    return found
