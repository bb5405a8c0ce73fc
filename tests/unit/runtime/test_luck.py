"""New ids: UUIDv7, ascending."""

import time
from uuid import UUID

from moot.contracts.ids import is_hex_id
from moot.runtime.luck import new_id


def test_an_id_is_a_uuid_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000

    assert is_hex_id(made)
    assert UUID(made).version == 7
    assert before <= UUID(made).int >> 80 <= after


def test_ids_ascend() -> None:
    ids = [new_id() for _ in range(5000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 5000
