"""Others need our documents only: a publisher and a consumer in Node.js, on real servers."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from moot.api.app import build
from moot.api.settings import ApiSettings
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.ports import free_port
from moot.contracts.catalogue import INGESTIBLE
from moot.contracts.subjects import StreamName
from moot.projector.app import build as build_projector
from moot.projector.settings import ProjectorSettings
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from tests.integration.api.world import ADMIN, ADMIN_KEY, PEPPER, SECRET_KEY
from tests.support.hosted import hosted
from tests.support.nodejs import FOLDER, installed, node
from tests.support.recording import argued, record, topic_id
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]


async def run(
    script: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        node(),
        str(script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )
    async with asyncio.timeout(40):
        said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(said)


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[NatsConnection]:
    await provision(nats_server.url)
    connection = NatsConnection()
    await connection.open(nats_server.url, name="tests")
    yield connection
    await connection.close()


@pytest.fixture
async def address(nats_server: NatsServer, database_url: str) -> AsyncIterator[str]:
    await provision(nats_server.url)
    settings = ApiSettings(
        nats_url=nats_server.url,
        database_url=database_url,
        api_port=free_port(),
        admin_key=ADMIN_KEY,
        agent_key_pepper=PEPPER,
        secret_key=SECRET_KEY,
    )
    projector = ProjectorSettings(
        nats_url=nats_server.url, database_url=database_url, replica="one"
    )
    # A key that was just issued is trusted for a second; from then on the Ops DB has to have it.
    async with hosted(build_projector, projector), hosted(build, settings) as service:
        await until(service.is_ready)
        yield f"http://127.0.0.1:{settings.api_port}"


async def test_a_publisher_needs_the_openapi_document_the_catalogue_and_a_key(
    address: str, connection: NatsConnection
) -> None:
    script = ROOT / "examples" / "publish.mjs"
    imported = re.findall(r'from "(.*?)"', script.read_text(encoding="utf-8"))
    assert all(module.startswith("node:") for module in imported), "it has no dependencies"
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        body = {"publisher": "nodejs", "categories": ["artifact", "posture"]}
        issued = await http.post("/api/admin/publishers", json=body, headers=ADMIN)
        key = issued.json()["key"]
    document = str(ROOT / "docs" / "openapi.json")
    said = await run(script, document, address, environment={"MOOT_PUBLISHING_KEY": key})

    assert (said["first"]["status"], said["again"]["status"], said["all"]["status"]) == (
        201,
        200,
        201,
    )
    (first,), (again,) = said["first"]["events"], said["again"]["events"]
    assert (again["position"], again["duplicate"]) == (first["position"], True)
    chronicle = JetStreamChronicle(connection)
    stored = {
        json.loads(event.body)["type"]: event.position
        for category in ("artifact", "posture")
        for event in await chronicle.read(StreamName(category, "from-nodejs"))
    }
    assert stored.keys() == INGESTIBLE
    assert sorted(stored.values()) == sorted(one["position"] for one in said["all"]["events"])


async def test_a_consumer_needs_the_asyncapi_document(
    nats_server: NatsServer, connection: NatsConnection
) -> None:
    installed("nats")
    history = argued().history
    stream = StreamName("topic", topic_id("argued"))
    await record(JetStreamChronicle(connection), [(stream, event) for event in history])
    host = nats_server.url.removeprefix("nats://")
    document = str(ROOT / "docs" / "asyncapi.json")
    said = await run(FOLDER / "consume.mjs", document, host, "topic")

    assert said["subject"] == "chronicle.topic.*"
    assert [one["type"] for one in said["read"]] == [event.type for event in history]
    assert [one["position"] for one in said["read"]] == list(range(1, len(history) + 1))
    for one in said["read"]:
        assert (one["known"], one["id"], one["lacking"]) == (True, True, [])
        assert one["contentType"] == said["contentType"]
        assert one["subject"] == stream.subject
