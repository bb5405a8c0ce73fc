"""Examples and names for other teams' tests."""

import json

import pytest

from moot.contracts.artifacts import DeploymentObserved
from moot.contracts.catalogue import COMMANDS, EVENTS, INGESTIBLE
from moot.contracts.envelope import Envelope
from moot.contracts.ids import is_safe_token
from moot.contracts.subjects import StreamName
from moot.testing import command_examples, document, event_examples, fresh


def test_there_is_an_example_of_every_event_as_the_chronicle_has_it() -> None:
    examples = event_examples()
    assert set(examples) == set(EVENTS)
    for name, example in examples.items():
        stream = StreamName.parse(f"chronicle.{example['subject'].replace('/', '.')}")
        assert Envelope.from_bytes(stream, json.dumps(example).encode()).event.type == name


def test_there_is_an_example_of_every_command() -> None:
    assert {name: type(each) for name, each in command_examples().items()} == COMMANDS


@pytest.mark.parametrize("name", sorted(INGESTIBLE))
def test_a_document_says_what_it_is_told_to(name: str) -> None:
    subject = f"{name.split('.')[1]}/{fresh('windows')}"
    sent, again = document(name, subject), document(name, subject)
    assert (sent["type"], sent["subject"], sent["specversion"]) == (name, subject, "1.0")
    assert sent["id"] != again["id"]
    assert sent["data"] == again["data"]


def test_fields_of_a_document_can_be_others() -> None:
    sent = document("moot.posture.deployment_observed.v1", "posture/x", status="healthy")
    event = DeploymentObserved.model_validate(sent["data"])
    assert event.status == "healthy"
    assert document(event, "posture/x")["data"] == sent["data"]
    with pytest.raises(KeyError):
        document("moot.topic.signed_up.v1", "topic/x")


def test_a_fresh_name_is_nobody_elses_and_fits_wherever_an_id_does() -> None:
    assert fresh("base") != fresh("base")
    assert fresh("base").startswith("base-")
    assert is_safe_token(fresh("a" * 100))
