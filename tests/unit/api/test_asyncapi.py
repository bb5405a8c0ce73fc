"""The AsyncAPI document, and the committed one."""

import copy
import json
import re
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft7Validator, validator_for

from moot.api.asyncapi import document, text
from moot.contracts.catalogue import EVENTS, EVENTS_BY_CATEGORY
from moot.contracts.envelope_schema import ENVELOPE_SCHEMA
from moot.runtime.provision import DURABLES
from tests.support.nodejs import installed

ROOT = Path(__file__).parents[3]
GOLDEN = sorted((ROOT / "tests" / "data" / "golden").glob("*.json"))


def parsed() -> dict[str, Any]:
    return json.loads(text())


def test_the_committed_document_is_current() -> None:
    committed = (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")
    assert committed == text(), "run: python -m moot.api.asyncapi > docs/asyncapi.json"


def test_it_is_valid_by_asyncapis_own_schema() -> None:
    schemas = installed("@asyncapi/specs") / "schemas"
    schema = json.loads((schemas / "3.0.0-without-$id.json").read_text(encoding="utf-8"))
    validator = validator_for(schema)
    assert [str(error) for error in validator.iter_errors(parsed())] == []
    wrong = copy.deepcopy(parsed())
    wrong["channels"]["topic"]["adress"] = wrong["channels"]["topic"].pop("address")
    assert not validator.is_valid(wrong)
    wrong = copy.deepcopy(parsed())
    wrong["operations"]["send_topic"]["action"] = "publish"
    assert not validator.is_valid(wrong)


def test_what_it_refers_to_is_there() -> None:
    found = set(re.findall(r'"\$ref": "#/(.*?)"', text()))
    assert found
    for reference in found:
        place = parsed()
        for step in reference.split("/"):
            place = place[step]


def test_every_category_is_a_channel_with_every_type_as_a_message() -> None:
    described = parsed()
    for category, events in EVENTS_BY_CATEGORY.items():
        channel = described["channels"][category]
        assert channel["address"] == f"chronicle.{category}.{{id}}"
        assert set(channel["messages"]) == {event.type for event in events}
        assert channel["x-jetstream-stream"] == "CHRONICLE"
    assert set(described["components"]["messages"]) == set(EVENTS)
    named = [d for one in described["channels"].values() for d in one["x-jetstream-durables"]]
    assert sorted(named) == sorted(durable.name for durable in DURABLES)


def test_what_is_stored_matches_the_payload_of_its_message() -> None:
    described = document()
    for path in GOLDEN:
        stored = json.loads(path.read_bytes())
        payload = described["components"]["messages"][stored["type"]]["payload"]
        validator = Draft7Validator({**payload, "components": described["components"]})
        assert validator.is_valid(stored), path.stem
        for name in ENVELOPE_SCHEMA["required"]:
            lacking = {key: value for key, value in stored.items() if key != name}
            assert not validator.is_valid(lacking), name
        assert not validator.is_valid({**stored, "data": {"other": 1}}), path.stem
