"""Every replica comes to the same order by itself, and the work is shared."""

from collections import Counter
from collections.abc import Mapping

from moot.ticker.ranks import rank

THREE = {"t1": True, "t2": True, "t3": True}
KEYS = [f"topic/{number}" for number in range(3000)]


def first(living: Mapping[str, bool], key: str) -> str:
    (replica,) = [one for one in living if rank(one, living, key) == 0]
    return replica


def test_for_each_deadline_every_replica_has_its_own_rank() -> None:
    for key in KEYS[:100]:
        assert sorted(rank(one, THREE, key) for one in THREE) == [0, 1, 2]


def test_the_work_is_shared_about_evenly() -> None:
    shares = Counter(first(THREE, key) for key in KEYS)
    assert all(900 < share < 1100 for share in shares.values()), shares


def test_when_one_goes_only_its_deadlines_move() -> None:
    for key in KEYS[:500]:
        before = first(THREE, key)
        if before != "t3":
            assert first({"t1": True, "t2": True}, key) == before


def test_who_hears_nobody_is_first() -> None:
    assert rank("t1", {}, "topic/1") == 0


def test_who_is_not_fit_comes_last_and_nobody_is_left_out() -> None:
    for key in KEYS[:100]:
        living = THREE | {first(THREE, key): False}
        assert [one for one in living if rank(one, living, key) == 2] == [first(THREE, key)]
        assert sorted(rank(one, living, key) for one in living) == [0, 1, 2]
