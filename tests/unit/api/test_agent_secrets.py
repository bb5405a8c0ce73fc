"""Agents' keys as text and as hashes."""

import pytest

from moot.api.agent_secrets import AgentKey
from moot.contracts.ids import KeyId

KEY_ID = KeyId("0" * 32)


def test_a_key_is_read_as_it_is_shown() -> None:
    key = AgentKey.new(KEY_ID)
    assert AgentKey.parse(key.text) == key
    assert key.matches(key.hash("pepper"), "pepper")


def test_the_hash_hangs_on_secret_and_pepper() -> None:
    key, other = AgentKey.new(KEY_ID), AgentKey.new(KEY_ID)
    assert len(bytes.fromhex(key.secret)) == 32
    assert not other.matches(key.hash("pepper"), "pepper")
    assert not key.matches(key.hash("pepper"), "salt")
    assert key.secret not in repr(key)


@pytest.mark.parametrize(
    "text", ["", "moot_", "moot__", f"moot_{KEY_ID}_short", f"moot_{KEY_ID}_{'g' * 64}", "x" * 9999]
)
def test_other_text_is_no_key(text: str) -> None:
    assert AgentKey.parse(text) is None
