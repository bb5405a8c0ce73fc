"""What was stored once is readable for ever, and what is written today is what was agreed."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for

from moot.contracts import catalogue, examples
from moot.contracts.catalogue import Event, UnknownEventTypeError
from moot.contracts.debates import Schedule
from moot.contracts.envelope import Envelope, MalformedEventError
from moot.contracts.subjects import Category, StreamName
from moot.contracts.topic_events import TopicCreated

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
ALL = [(category, event) for category, events in examples.EVENTS.items() for event in events]
BY_TYPE = [pytest.param(category, event, id=event.type) for category, event in ALL]


def _golden(event: Event) -> bytes:
    return (GOLDEN / f"{event.type}.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize(("category", "event"), BY_TYPE)
def test_an_event_is_written_as_its_golden_file(category: Category, event: Event) -> None:
    assert examples.in_envelope(category, event).to_bytes() == _golden(event)


@pytest.mark.parametrize(("category", "event"), BY_TYPE)
def test_a_golden_file_is_read_as_its_event(category: Category, event: Event) -> None:
    envelope = examples.in_envelope(category, event)
    assert Envelope.from_bytes(envelope.stream, _golden(event)) == envelope


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_file_is_still_readable(path: Path) -> None:
    document = json.loads(path.read_bytes())
    category, _, stream_id = document["subject"].partition("/")
    envelope = Envelope.from_bytes(
        StreamName.parse(f"chronicle.{category}.{stream_id}"), path.read_bytes()
    )
    assert envelope.id == document["id"]


def test_every_event_type_has_an_example_and_every_command_too() -> None:
    assert {event.type for _, event in ALL} == set(catalogue.EVENTS)
    assert {command.name for command in examples.COMMANDS} == set(catalogue.COMMANDS)


@pytest.mark.parametrize(("category", "event"), BY_TYPE)
def test_a_document_is_a_cloud_event(category: Category, event: Event) -> None:
    document: dict[str, Any] = json.loads(examples.in_envelope(category, event).to_bytes())
    assert document["specversion"] == "1.0"
    assert document["type"] == event.type
    assert document["type"].startswith(f"moot.{category}.")
    assert all(document[name] for name in ("id", "source", "subject", "time", "dataschema"))
    assert all(name.isalnum() and name.islower() for name in document), "as CloudEvents wants it"


@pytest.mark.parametrize(("category", "event"), BY_TYPE)
def test_an_example_matches_its_json_schema(category: Category, event: Event) -> None:
    assert category in examples.EVENTS
    validator_for(type(event).model_json_schema()).validate(event.model_dump(mode="json"))


@pytest.mark.parametrize("command", examples.COMMANDS, ids=lambda command: command.name)
def test_a_command_survives_json(command: catalogue.Command) -> None:
    assert type(command).model_validate_json(command.model_dump_json()) == command
    validator_for(type(command).model_json_schema()).validate(command.model_dump(mode="json"))


def test_an_old_shape_is_upcast_before_it_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    def name_the_terms(data: dict[str, Any]) -> dict[str, Any]:
        terms = {"title": data["title"], "schedule": data["times"]}
        kept = {key: value for key, value in data.items() if key not in {"title", "times"}}
        return {**kept, "terms": terms}

    def name_the_creator(data: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in data.items() if key != "author"}
        return {**kept, "creator": f"agent:{data['author']}"}

    steps = {"planted.v0": ("planted.v1", name_the_creator)}
    steps["planted.v1"] = (TopicCreated.type, name_the_terms)
    for old_type, step in steps.items():
        monkeypatch.setitem(catalogue.UPCASTERS, old_type, step)
    old = {
        "author": "ann",
        "title": "Old",
        "times": examples.SCHEDULE.model_dump(mode="json"),
        "rounds": 1,
        "verdict_schema_id": "binary",
        "visibility": "public",
        "created_at": "2026-11-21T12:00:00Z",
    }
    event = catalogue.decode_event("planted.v0", old)
    assert isinstance(event, TopicCreated)
    assert (event.creator, event.terms.title) == ("agent:ann", "Old")
    assert isinstance(event.terms.schedule, Schedule)


def test_an_unknown_type_is_said_to_be_unknown() -> None:
    with pytest.raises(UnknownEventTypeError, match="dreamt"):
        catalogue.decode_event("dreamt.v9", {})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"id": "x"}', b"\xff\xfe", b'"text"'], ids=repr
)
def test_what_is_no_document_of_ours_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEventError):
        Envelope.from_bytes(StreamName("topic", "0" * 32), body)
