"""`moot up` where it can't: a message that says why, an exit code, never a traceback."""

# pyright: reportUnknownMemberType=false
# The options of nats-py's functions are untyped.

import json
import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import nats
import pytest

from moot.cli.local.data_folder import data_folder
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.ports import LOOPBACK
from tests.support.local_moot import NOTHING, moot

WRONG_SETTINGS = 2
WRONG_SURROUNDINGS = 3


def refused(*arguments: str, given: Mapping[str, str] = NOTHING) -> tuple[int, str]:
    """The exit code and the message of a command that prints nothing else."""
    done = moot(*arguments, given=given)
    assert done.said == ""
    return done.code, done.errors


@contextmanager
def listening(greeting: bytes = b"") -> Generator[int]:
    """A port where somebody listens who says `greeting` to whoever comes."""
    with socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()

        def greet() -> None:
            try:
                while True:
                    client, _ = server.accept()
                    with client:
                        client.sendall(greeting)
            except OSError:
                return

        greeter = threading.Thread(target=greet, daemon=True)
        greeter.start()
        yield server.getsockname()[1]
        server.shutdown(2)
        greeter.join()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with listening() as port:
        code, said = refused("up", "--data", str(tmp_path), "--port", str(port))
    assert (code, said) == (
        WRONG_SURROUNDINGS,
        f"moot: Port {port} is taken: choose another with --port.\n",
    )


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    code, said = refused("up", "--data", str(in_the_way / "data"))
    assert code == WRONG_SURROUNDINGS
    assert said.startswith(f"moot: Can't keep data in {in_the_way / 'data'}: Not a directory.")


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    # Root writes to any folder of a disk, but to none of the kernel's.
    closed = Path("/sys") if os.geteuid() == 0 else tmp_path
    code, said = refused("up", "--data", str(closed))
    assert code == WRONG_SURROUNDINGS
    assert said.startswith(f"moot: Can't keep data in {closed}: ")


def test_a_folder_that_another_one_runs_on(tmp_path: Path) -> None:
    with data_folder(tmp_path):
        code, said = refused("up", "--data", str(tmp_path))
    assert code == WRONG_SURROUNDINGS
    assert said.startswith(f"moot: Another `moot up` runs on {tmp_path}: stop it, or choose")


def test_secrets_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"MOOT_ADMIN_KEY": 5, "MOOT_DRAW_KEY": "said-nowhere"}')
    code, said = refused("up", "--data", str(tmp_path))
    assert code == WRONG_SURROUNDINGS
    assert said.startswith(f"moot: Can't keep the secrets in {tmp_path / 'secrets.json'}")
    assert "said-nowhere" not in said


@pytest.mark.parametrize(
    ("given", "missing"), [("NATS_URL", "DATABASE_URL"), ("DATABASE_URL", "NATS_URL")]
)
def test_one_server_without_the_other(tmp_path: Path, given: str, missing: str) -> None:
    code, said = refused("up", "--data", str(tmp_path), given={given: "somewhere"})
    assert code == WRONG_SETTINGS
    assert f"{given} is set and {missing} isn't" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--services", "ticker,tocker"], "--services: there is no service 'tocker'"),
        (["--replicas", "tocker=2"], "--replicas: there is no service 'tocker'"),
        (["--replicas", "ticker=none"], "--replicas ticker=none: say how many"),
        (["--replicas", "ticker=0"], "--replicas ticker=0: say how many"),
        (["--services", "api", "--replicas", "ticker=2"], "ticker is not among --services"),
        (["--port", "http"], "Invalid value for '--port'"),
        (["--port", "70000"], "Invalid value for '--port'"),
        (["--ports", "1"], "No such option: --ports"),
    ],
)
def test_options_that_mean_nothing(tmp_path: Path, options: list[str], says: str) -> None:
    code, said = refused("up", "--data", str(tmp_path), *options)
    assert code == WRONG_SETTINGS
    assert says in said


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with listening() as port:
        pass
    code, said = refused("up", "--data", str(tmp_path), given=own_servers(port))
    assert code == WRONG_SURROUNDINGS
    assert f"No NATS server answers at nats://{LOOPBACK}:{port}." in said


def test_a_server_that_is_too_old(tmp_path: Path) -> None:
    information = json.dumps({"server_id": "OLD", "version": "2.11.4", "max_payload": 1048576})
    with listening(f"INFO {information}\r\n".encode()) as port:
        code, said = refused("up", "--data", str(tmp_path), given=own_servers(port))
    assert code == WRONG_SURROUNDINGS
    assert "is NATS 2.11.4; Moot needs 2.12 or newer" in said
    assert "hidden" not in said


async def test_a_stream_that_may_lose_events(
    tmp_path: Path, nats_server: NatsServer, database_url: str
) -> None:
    async with await nats.connect(nats_server.url) as connection:
        await connection.jetstream().add_stream(name="CHRONICLE", subjects=["chronicle.>"])
    given = {"NATS_URL": nats_server.url, "DATABASE_URL": database_url}
    code, said = refused("up", "--json", "--data", str(tmp_path / "data"), given=given)
    assert code == WRONG_SURROUNDINGS
    assert "The stream CHRONICLE exists with weaker settings than Moot needs: " in said
    assert "deny_delete is off, must be on" in said


def own_servers(port: int) -> dict[str, str]:
    return {
        "NATS_URL": f"nats://moot:hidden@{LOOPBACK}:{port}",
        "DATABASE_URL": f"postgresql://moot:hidden@{LOOPBACK}:{port}/moot",
    }
