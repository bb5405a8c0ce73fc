"""A publisher has one key or none, and may publish what it was granted."""

from datetime import timedelta
from typing import Any

import pytest

from moot.contracts.debates import ADMIN, Caller
from moot.contracts.ids import KeyId
from moot.contracts.publishing import (
    Grant,
    IssuePublishingKey,
    PublisherName,
    PublishingKeyIssued,
    PublishingKeyRevoked,
    RevokePublishingKey,
)
from moot.domain import publishers
from moot.domain.refusal import Refused
from tests.support.topics import NOON

Command = IssuePublishingKey | RevokePublishingKey

OBSERVED = "moot.posture.deployment_observed.v1"
NAME = PublisherName("collector")
FIRST = IssuePublishingKey(
    by=ADMIN,
    publisher=NAME,
    grant=Grant(categories=("posture", "artifact")),
    key_id=KeyId("k1"),
    key_hash="a" * 64,
)
SECOND = FIRST.model_copy(update={"key_id": KeyId("k2")})
REVOKE = RevokePublishingKey(by=ADMIN, publisher=NAME, reason="lost")


def _after(*commands: Command) -> publishers.KeyState:
    state = publishers.initial
    for command in commands:
        decision = publishers.decide(state, command, NOON)
        assert not isinstance(decision, Refused)
        for event in decision:
            state = publishers.evolve(state, event)
    return state


def _code(state: publishers.KeyState, command: Command) -> str:
    decision = publishers.decide(state, command, NOON)
    assert isinstance(decision, Refused)
    return decision.code


def test_a_second_key_needs_force_and_replaces_the_first_with_its_grant() -> None:
    held = _after(FIRST)
    assert _code(held, SECOND) == "already-issued"
    narrower = {"force": True, "grant": Grant(categories=("posture",))}
    forced = publishers.decide(held, SECOND.model_copy(update=narrower), NOON)
    assert isinstance(forced, list)
    event = forced[0]
    assert isinstance(event, PublishingKeyIssued)
    assert (event.replaces, event.grant.categories) == ("k1", ("posture",))


def test_issuing_the_same_key_twice_decides_nothing() -> None:
    assert publishers.decide(_after(FIRST), FIRST, NOON) == []


def test_an_expired_key_needs_no_force_and_a_dead_one_is_refused() -> None:
    held = _after(FIRST.model_copy(update={"expires_at": NOON + timedelta(hours=1)}))
    assert _code(held, SECOND) == "already-issued"
    assert publishers.decide(held, SECOND, NOON + timedelta(hours=1))
    dead = FIRST.model_copy(update={"expires_at": NOON})
    assert _code(publishers.initial, dead) == "expiry-has-passed"


def test_a_revoked_key_makes_room_and_revoking_twice_decides_nothing() -> None:
    decision = publishers.decide(_after(FIRST), REVOKE, NOON)
    assert isinstance(decision, list)
    revoked = decision[0]
    assert isinstance(revoked, PublishingKeyRevoked)
    assert (revoked.publisher, revoked.key_id, revoked.reason) == (NAME, "k1", "lost")
    assert publishers.decide(_after(FIRST, REVOKE), REVOKE, NOON) == []
    assert publishers.decide(_after(FIRST, REVOKE), SECOND, NOON)


def test_only_an_admin_hands_out_keys() -> None:
    agent = {"by": Caller.agent("ann")}
    assert _code(publishers.initial, FIRST.model_copy(update=agent)) == "not-admin"
    assert _code(_after(FIRST), REVOKE.model_copy(update=agent)) == "not-admin"


@pytest.mark.parametrize(
    "grant",
    [
        {"categories": ("topic",)},
        {"categories": ("posture", "access")},
        {"categories": ("posture",), "types": ("moot.topic.topic_created.v1",)},
        {"categories": ("artifact",), "types": (OBSERVED,)},
        {"categories": ("posture",), "types": ("dreamt.v1",)},
    ],
    ids=str,
)
def test_what_is_moots_own_to_decide_is_granted_to_nobody(grant: Any) -> None:  # noqa: ANN401 JSON
    command = FIRST.model_copy(update={"grant": Grant.model_validate(grant)})
    assert _code(publishers.initial, command) == "not-ingestible"


def test_a_grant_covers_its_categories_or_only_some_types_of_them() -> None:
    other = "moot.posture.posture_assessed.v1"
    every = Grant(categories=("posture",))
    assert every.covers("posture", OBSERVED)
    assert every.covers("posture", other)
    assert not every.covers("artifact", OBSERVED)
    some = Grant(categories=("posture",), types=(OBSERVED,))
    assert some.covers("posture", OBSERVED)
    assert not some.covers("posture", other)
