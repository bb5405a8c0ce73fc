import hashlib
import hmac
import json
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.contracts.debates import CAMPS, Camp, Signup
from moot.contracts.ids import AgentId
from moot.domain.draw import (
    ALGORITHM,
    Luck,
    commitment,
    draw_evidence,
    draw_secret,
    draw_seed,
    signups_hash,
)

TOPIC = "0197a3c0d1e27f4a8b5c6d7e8f901234"
VECTORS = Path(__file__).parents[2] / "data" / "allocation_vectors.json"


class LuckVector(TypedDict):
    seed: str
    below: list[str]
    drawn: list[str]
    blocks_used: int


def luck_vectors() -> list[LuckVector]:
    return json.loads(VECTORS.read_text("utf-8"))["luck"]


def signup(agent_id: str, *willing: Camp) -> Signup:
    return Signup(agent_id=AgentId(agent_id), willing_camps=willing)


def test_the_secret_is_the_hmac_of_the_topic_id_under_the_draw_key() -> None:
    expected = hmac.new(b"k" * 32, b"0197a3c0d1e27f4a8b5c6d7e8f901234", hashlib.sha256)
    assert draw_secret(b"k" * 32, TOPIC) == expected.digest()


def test_every_topic_and_every_key_has_another_secret() -> None:
    other_topic = "0197a3c0d1e27f4a8b5c6d7e8f901235"
    secrets = {draw_secret(key, topic) for key in (b"a", b"b") for topic in (TOPIC, other_topic)}
    assert len(secrets) == 4


def test_the_commitment_is_the_hash_of_the_secret_in_hex() -> None:
    assert commitment(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_signups_are_hashed_as_canonical_json_in_their_order() -> None:
    listed = [signup("bob", Camp.JUDGE, Camp.PRO), signup("alice", Camp.CON)]
    canonical = (
        b'[{"agent_id":"bob","willing_camps":["pro","judge"]},'
        b'{"agent_id":"alice","willing_camps":["con"]}]'
    )
    assert signups_hash(listed) == hashlib.sha256(canonical).digest()
    assert signups_hash(listed[::-1]) != signups_hash(listed)
    assert signups_hash([]) == hashlib.sha256(b"[]").digest()


def test_the_seed_hangs_on_the_secret_and_on_every_signup() -> None:
    listed = [signup("alice", *CAMPS), signup("bob", *CAMPS)]
    expected = hashlib.sha256(b"s" * 32 + signups_hash(listed)).digest()
    assert draw_seed(b"s" * 32, listed) == expected
    assert draw_seed(b"t" * 32, listed) != expected
    assert draw_seed(b"s" * 32, [listed[0], signup("bob", Camp.PRO)]) != expected


def test_the_evidence_names_all_that_the_draw_came_from() -> None:
    listed = [signup("alice", *CAMPS)]
    evidence = draw_evidence(b"s" * 32, listed)
    assert evidence.algorithm == ALGORITHM == "moot-three-camps-1"
    assert evidence.secret == (b"s" * 32).hex()
    assert evidence.signups_hash == signups_hash(listed).hex()
    assert evidence.seed == draw_seed(b"s" * 32, listed).hex()


@pytest.mark.parametrize("vector", luck_vectors())
def test_luck_draws_what_the_vectors_say(vector: LuckVector) -> None:
    luck = Luck(bytes.fromhex(vector["seed"]))
    assert [luck.below(int(n)) for n in vector["below"]] == [
        int(drawn) for drawn in vector["drawn"]
    ]


@pytest.mark.parametrize("vector", luck_vectors())
def test_the_vectors_of_luck_follow_from_the_specification(vector: LuckVector) -> None:
    drawn: list[int] = []
    block_no = 0
    for n in map(int, vector["below"]):
        accepted = False
        while not accepted:
            counted = vector["seed"] + f"{block_no:016x}"
            block = int(hashlib.sha256(bytes.fromhex(counted)).hexdigest(), 16)
            block_no += 1
            accepted = block < (2**256 // n) * n
            if accepted:
                drawn.append(block % n)
    assert drawn == [int(value) for value in vector["drawn"]]
    assert block_no == vector["blocks_used"]


def test_the_vectors_of_luck_pass_blocks_over() -> None:
    assert any(vector["blocks_used"] > len(vector["below"]) for vector in luck_vectors())


@given(seed=st.binary(max_size=40), n=st.integers(1, 2**256))
def test_luck_stays_below_and_repeats_itself(seed: bytes, n: int) -> None:
    luck, same = Luck(seed), Luck(seed)
    drawn = [luck.below(n) for _ in range(5)]
    assert all(0 <= value < n for value in drawn)
    assert drawn == [same.below(n) for _ in range(5)]


@pytest.mark.parametrize("n", [0, -1, 2**256 + 1])
def test_luck_refuses_what_it_cannot_draw(n: int) -> None:
    with pytest.raises(ValueError, match="must be from 1 to"):
        Luck(b"seed").below(n)
