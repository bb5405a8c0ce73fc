"""The catalogue that other teams read."""

from jsonschema_rs import validator_for

from moot.api.contracts import contracts
from moot.contracts.catalogue import CATEGORY_OF, COMMANDS, COMMANDS_BY_CATEGORY, EVENTS, INGESTIBLE
from moot.contracts.examples import EVENTS as EXAMPLES
from moot.contracts.examples import in_envelope


def test_it_has_every_type_of_event_and_command() -> None:
    assert {event.type for event in contracts().events} == set(EVENTS)
    assert {command.name for command in contracts().commands} == set(COMMANDS)


def test_every_example_matches_its_schema() -> None:
    for contract in (*contracts().events, *contracts().commands):
        assert validator_for(contract.data_schema).is_valid(contract.example), contract.example


def test_what_others_may_publish_is_marked_and_no_decider_decides_it() -> None:
    marked = {event.type for event in contracts().events if event.ingestible}
    assert marked == INGESTIBLE
    assert marked
    assert {CATEGORY_OF[name] for name in marked} & set(COMMANDS_BY_CATEGORY) == set()


def test_an_event_says_where_it_stands_in_the_chronicle() -> None:
    for event in contracts().events:
        assert event.subject == f"{event.category}/{{id}}"
        assert event.nats_subject == f"chronicle.{event.category}.{{id}}"


def test_every_document_matches_the_schema_of_the_envelope() -> None:
    validator = validator_for(contracts().envelope)
    for category, events in EXAMPLES.items():
        for event in events:
            validator.validate(in_envelope(category, event).document())
    assert not validator.is_valid({"specversion": "1.0"})
