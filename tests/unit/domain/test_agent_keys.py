"""An agent has one key or none."""

from datetime import timedelta

from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked, IssueAgentKey, RevokeAgentKey
from moot.contracts.debates import ADMIN, Caller
from moot.contracts.ids import KeyId
from moot.domain import agent_keys
from moot.domain.refusal import Refused
from tests.support.topics import NOON

FIRST = IssueAgentKey(by=ADMIN, key_id=KeyId("k1"), key_hash="a" * 64)
SECOND = IssueAgentKey(by=ADMIN, key_id=KeyId("k2"), key_hash="b" * 64)
REVOKE = RevokeAgentKey(by=ADMIN, reason="lost")


def _after(*commands: IssueAgentKey | RevokeAgentKey) -> agent_keys.KeyState:
    state = agent_keys.initial
    for command in commands:
        decision = agent_keys.decide(state, command, NOON)
        assert not isinstance(decision, Refused)
        for event in decision:
            state = agent_keys.evolve(state, event)
    return state


def _code(state: agent_keys.KeyState, command: IssueAgentKey | RevokeAgentKey) -> str:
    decision = agent_keys.decide(state, command, NOON)
    assert isinstance(decision, Refused)
    return decision.code


def test_a_second_key_needs_force_and_replaces_the_first() -> None:
    held = _after(FIRST)
    assert _code(held, SECOND) == "already-issued"
    forced = agent_keys.decide(held, SECOND.model_copy(update={"force": True}), NOON)
    assert isinstance(forced, list)
    event = forced[0]
    assert isinstance(event, AgentKeyIssued)
    assert event.replaces == "k1"


def test_issuing_the_same_key_twice_decides_nothing() -> None:
    assert agent_keys.decide(_after(FIRST), FIRST, NOON) == []


def test_an_expired_key_needs_no_force() -> None:
    expiring = FIRST.model_copy(update={"expires_at": NOON + timedelta(hours=1)})
    held = _after(expiring)
    assert _code(held, SECOND) == "already-issued"
    assert agent_keys.decide(held, SECOND, NOON + timedelta(hours=1))


def test_a_key_that_would_be_dead_at_once_is_refused() -> None:
    dead = FIRST.model_copy(update={"expires_at": NOON})
    assert _code(agent_keys.initial, dead) == "expiry-has-passed"


def test_a_revoked_key_makes_room_and_revoking_twice_decides_nothing() -> None:
    decision = agent_keys.decide(_after(FIRST), REVOKE, NOON)
    assert isinstance(decision, list)
    revoked = decision[0]
    assert isinstance(revoked, AgentKeyRevoked)
    assert (revoked.key_id, revoked.reason) == ("k1", "lost")
    assert agent_keys.decide(_after(FIRST, REVOKE), REVOKE, NOON) == []
    assert agent_keys.decide(_after(FIRST, REVOKE), SECOND, NOON)


def test_only_an_admin_hands_out_keys() -> None:
    agent = Caller.agent("ann")
    assert _code(agent_keys.initial, FIRST.model_copy(update={"by": agent})) == "not-admin"
    assert _code(_after(FIRST), REVOKE.model_copy(update={"by": agent})) == "not-admin"
