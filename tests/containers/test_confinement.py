"""What each container may do, and what it gives away."""

import json

import pytest

from tests.support.composed import IMAGES, PARTS, SERVICES, Composed
from tests.support.containers import docker, ran

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

TRY = """
import json, os, pathlib
def writable(path):
    try:
        pathlib.Path(path, "tried").write_text("")
    except OSError:
        return False
    return True
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(),
    "capabilities": int(status["CapEff"], 16),
    "gains": status["NoNewPrivs"].strip() == "0",
    "writable": [path for path in ("/", "/tmp", "/opt/moot", "/credentials") if writable(path)],
    "credentials": sorted(file.name for file in pathlib.Path("/credentials").iterdir()),
}))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_nobody_and_writes_nowhere(stack: Composed, service: str) -> None:
    found = json.loads(stack.the(service).run("python", "-c", TRY))

    own = [name for name in stack.credentials() if name.startswith(f"{service}/")]
    assert found == {
        "uid": 1000,
        "capabilities": 0,
        "gains": False,
        "writable": [],
        "credentials": sorted(name.removeprefix(f"{service}/") for name in own),
    }


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_confined(stack: Composed, part: str) -> None:
    inspected = stack.the(part).inspected()
    host, config = inspected["HostConfig"], inspected["Config"]

    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["LogConfig"]["Config"]["max-size"]
    assert config["User"].split(":")[0] not in {"", "0", "root"}


def test_the_servers_are_on_a_network_that_leads_nowhere(stack: Composed) -> None:
    for part in ("nats", "postgres"):
        inspected = stack.the(part).inspected()
        assert list(inspected["NetworkSettings"]["Networks"]) == [f"{stack.project}_inside"]
        assert not any(inspected["NetworkSettings"]["Ports"].values())
    assert json.loads(docker("network", "inspect", f"{stack.project}_inside"))[0]["Internal"]


def test_no_secret_is_shown_by_docker(stack: Composed) -> None:
    secrets = {
        word
        for text in stack.credentials().values()
        for word in (text, *text.replace("@", ":").replace('"', ":").split(":"))
        if len(word) >= 32
    }
    secrets |= {file.read_text() for file in stack.folder.iterdir()}
    images = [f"moot/{image}:dev" for image in IMAGES]
    names = [c.name for c in stack.containers(*PARTS)]
    names += stack.compose("ps", "-aq", "credentials", "migrate", "provision").split()

    shown = docker("inspect", *names) + docker("image", "inspect", *images)
    shown += "".join(docker("history", "--no-trunc", image) for image in images)
    said = "".join(ran("logs", name).stdout + ran("logs", name).stderr for name in names)

    assert len(secrets) > len(PARTS)
    assert [secret for secret in secrets if secret in shown] == []
    assert [secret for secret in secrets if secret in said] == []
