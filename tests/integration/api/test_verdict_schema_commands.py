"""`moot verdict-schemas`, typed at an API that serves."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.api.world import ADMIN_KEY
from tests.support.local_moot import Done, moot

SCHEMA = {"type": "object", "properties": {"euros": {"type": "integer"}}, "required": ["euros"]}


pytestmark = pytest.mark.timeout(120)  # each command is a process that has to start


class Typist:
    """Types commands at one API, with files of its own; `key` is what it takes for an admin's."""

    def __init__(self, address: str, folder: Path) -> None:
        self._where = ["--api", address, "--data", str(folder)]
        self._folder = folder

    async def types(self, *arguments: str, key: str = ADMIN_KEY) -> Done:
        command = ["verdict-schemas", *arguments, *self._where]
        return await asyncio.to_thread(moot, *command, given={"MOOT_ADMIN_KEY": key})

    async def registers(self, schema_id: str, text: str, *, key: str = ADMIN_KEY) -> Done:
        file = self._folder / "schema.json"
        file.write_text(text)
        title = ("--title", "A [bold]sum[/]")
        return await self.types("register", schema_id, str(file), *title, key=key)


@pytest.fixture
def typist(address: str, tmp_path: Path) -> Typist:
    return Typist(address, tmp_path)


async def test_a_schema_is_registered_listed_and_shown(typist: Typist) -> None:
    assert "grant" not in (await typist.types("list")).said
    for _ in range(2):
        done = await typist.registers("grant", json.dumps(SCHEMA))
        assert (done.code, done.said) == (0, "grant is registered.\n"), done.errors

    table = (await typist.types("list")).said
    assert "A [bold]sum[/]" in table
    assert "binary" in table
    listed = json.loads((await typist.types("list", "--json")).said)
    assert {"id": "grant", "title": "A [bold]sum[/]", "json_schema": SCHEMA} in listed
    assert json.loads((await typist.types("show", "grant")).said) == SCHEMA


async def test_a_refusal_says_why_and_where(typist: Typist) -> None:
    await typist.registers("grant", json.dumps(SCHEMA))
    other = await typist.registers("grant", "{}")
    assert (other.code, other.said) == (1, "")
    assert other.errors.endswith("never changes (verdict-schema-exists)\n")
    wrong = await typist.registers("loan", '{"properties": {"a": {"type": "nonsense"}}}')
    assert wrong.code == 1
    first, place = wrong.errors.splitlines()
    assert first.endswith("(invalid-verdict-schema)")
    assert place.startswith("  /json_schema/properties/a/type: ")
    unknown = await typist.types("show", "loan")
    assert (unknown.code, "verdict-schema-not-found" in unknown.errors) == (1, True)
    stranger = await typist.registers("loan", "{}", key="guessed")
    assert (stranger.code, stranger.said) == (1, "")


@pytest.mark.parametrize(
    ("text", "why"), [("{", "isn't JSON: "), ("[]", "isn't a JSON object"), (None, "Can't read ")]
)
async def test_a_file_that_holds_no_schema_is_named(
    typist: Typist, tmp_path: Path, text: str | None, why: str
) -> None:
    if text is None:
        missing = str(tmp_path / "schema.json")
        done = await typist.types("register", "grant", missing, "--title", "A sum")
    else:
        done = await typist.registers("grant", text)
    assert done.code == 1
    assert why in done.errors
    assert "schema.json" in done.errors
