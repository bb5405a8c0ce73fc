"""`moot up` with every service: replicas, seeds, restarts of what is killed, and an end for all."""

import json
import os
import signal
from pathlib import Path

import httpx2

from moot.cli.local.process import command_line
from moot.cli.seed import AGENTS, TOPICS
from tests.support.local_moot import START_SECONDS, moot, up
from tests.support.waiting import until

KILLED_IN_TURN = ("ticker", "allocator", "announcer", "projector", "api")
BAD_SETTINGS = 2
NOT_READY = 4


async def status_of(url: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(url)).status_code
        except httpx2.TransportError:
            return 0


def issue_and_revoke(data: str) -> None:
    issued = json.loads(moot("agents", "issue-key", "ann", "--json", "--data", data).said)
    assert issued["agent_id"] == "ann"
    refused = moot("agents", "issue-key", "ann", "--data", data)
    assert (refused.code, refused.said) == (1, "")
    assert "already-issued" in refused.errors
    assert moot("agents", "revoke", "ann", "--data", data).code == 0
    assert moot("agents", "issue-key", "ann", "--data", data).said.startswith("moot_")
    wrong_key = {"MOOT_ADMIN_KEY": "made-up"}
    assert moot("agents", "issue-key", "bea", "--data", data, given=wrong_key).code == 1


async def test_what_its_other_commands_do_is_served_and_projected(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    async with up(tmp_path / "data", "--replicas", "api=2", "--replicas", "ticker=2") as running:
        seeded = json.loads(moot("seed", "--json", "--data", data).said)
        assert tuple(seeded["keys"]) == AGENTS
        assert len(seeded["topics"]) == len(TOPICS)
        assert moot("seed", "--data", data).said.startswith("Nothing to do")
        for api in running.ready["apis"]:
            for topic_id in seeded["topics"]:
                assert await status_of(f"{api}/api/topics/{topic_id}") == 200

        async def has_caught_up() -> bool:
            shown = json.loads(moot("status", "--json", "--data", data).said)
            return all(of["behind"] == 0 < of["position"] for of in shown)

        await until(has_caught_up, within=START_SECONDS)
        issue_and_revoke(data)
        assert {service: len(pids) for service, pids in running.pids.items()} == {
            "nats": 1,
            "postgres": 1,
            "projector": 1,
            "allocator": 1,
            "announcer": 1,
            "ticker": 2,
            "api": 2,
        }


async def test_every_service_that_is_killed_comes_back(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as running:
        for service in KILLED_IN_TURN:
            (killed,) = running.pids[service]
            os.kill(killed, signal.SIGKILL)

            async def is_back(service: str = service, killed: int = killed) -> bool:
                return running.pids[service] != [killed]

            await until(is_back, within=START_SECONDS)

        async def is_ready() -> bool:
            return await status_of(f"{running.ready['api']}/readyz") == 200

        await until(is_ready, within=START_SECONDS)


async def test_when_it_is_killed_so_is_all_it_started_and_it_starts_again(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as running:
        pids = [pid for group in running.pids.values() for pid in group]
        await running.process.kill()

        async def are_gone() -> bool:
            return not any(command_line(pid) for pid in pids)

        await until(are_gone, within=START_SECONDS)
    async with up(tmp_path / "data") as running:
        assert await status_of(f"{running.ready['api']}/readyz") == 200


def test_wrong_settings_of_a_service_end_it_all(tmp_path: Path) -> None:
    wrong = {"MOOT_DRAW_KEYS": "misspelt", "POOL_SIZE": "many"}
    refused = moot("up", "--json", "--data", str(tmp_path / "data"), given=wrong)
    assert (refused.code, refused.said) == (BAD_SETTINGS, "")
    told = refused.errors.partition("refuses its settings:")[2]
    assert "MOOT_DRAW_KEYS: is not a setting of Moot; did you mean MOOT_DRAW_KEY?" in told


def test_a_service_that_cannot_run_ends_it_all(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os\n"
        "if os.environ.get('MOOT_REPLICA', '').startswith('ticker'):\n"
        "    os.write(2, b'no ticker today')\n"
        "    os._exit(9)\n"
    )
    given = {"PYTHONPATH": os.pathsep.join([str(broken), os.environ.get("PYTHONPATH", "")])}
    refused = moot("up", "--json", "--data", str(tmp_path / "data"), given=given)
    assert (refused.code, refused.said) == (NOT_READY, "")
    assert "moot: ticker-1 ended 5 times:\nno ticker today" in refused.errors
