from collections import Counter
from itertools import combinations, permutations
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.contracts.debates import CAMPS, Camp, CampSeat, Signup
from moot.contracts.ids import AgentId
from moot.domain.allocation import (
    Allocation,
    Shortfall,
    allocate,
    count_assignments,
    nth_assignment,
    recompute,
)
from moot.domain.draw import commitment, draw_evidence

PRO, CON, JUDGE = CAMPS
SEED = bytes(32)
KINDS = [kind for size in (1, 2, 3) for kind in combinations(CAMPS, size)]

some_signups = st.lists(st.sampled_from(KINDS), max_size=6).map(
    lambda kinds: [signup(f"agent-{n}", *kind) for n, kind in enumerate(kinds)]
)
some_seeds = st.binary(min_size=32, max_size=32)


def signup(agent_id: str, *willing: Camp) -> Signup:
    return Signup(agent_id=AgentId(agent_id), willing_camps=willing)


def seeds(how_many: int) -> list[bytes]:
    return [n.to_bytes(32, "big") for n in range(how_many)]


def allocated(signups: list[Signup], seed: bytes = SEED) -> Allocation:
    outcome = allocate(signups, seed)
    assert isinstance(outcome, Allocation)
    return outcome


def agents(outcome: Allocation) -> tuple[str, ...]:
    return tuple(seat.agent_id for seat in outcome.camps)


def every_assignment(signups: list[Signup]) -> list[dict[Camp, int]]:
    """List the fullest assignments in their specified order, by trying out everything."""
    for size in (3, 2, 1):
        found = [
            dict(zip(camps, places, strict=True))
            for camps in combinations(CAMPS, size)
            for places in permutations(range(len(signups)), size)
            if all(
                camp in signups[place].willing_camps
                for camp, place in zip(camps, places, strict=True)
            )
        ]
        if found:
            return found
    return [{}]


def chi_squared(seen: Counter[tuple[str, ...]], kinds: int) -> float:
    expected = seen.total() / kinds
    absent = (kinds - len(seen)) * expected
    return absent + sum((times - expected) ** 2 / expected for times in seen.values())


# The seven cases of the specification


def test_nobody_signed_up() -> None:
    assert allocate([], SEED) == Shortfall(
        "insufficient signups: 0 of 3 camps could be filled; nobody signed up", filled=0
    )


def test_too_few_signed_up() -> None:
    outcome = allocate([signup("alice", PRO), signup("bob", CON)], SEED)
    assert outcome == Shortfall(
        "insufficient signups: 2 of 3 camps could be filled; nobody volunteered for judge"
        " and no signup was left to backfill it",
        filled=2,
    )


def test_each_camps_only_volunteer_gets_it() -> None:
    outcome = allocate([signup("j", JUDGE), signup("p", PRO), signup("c", CON)], SEED)
    assert outcome == Allocation(
        camps=(
            CampSeat(camp=PRO, agent_id=AgentId("p")),
            CampSeat(camp=CON, agent_id=AgentId("c")),
            CampSeat(camp=JUDGE, agent_id=AgentId("j")),
        ),
        backfilled=(),
    )


def test_of_several_volunteers_no_agent_gets_two_camps() -> None:
    everybody = [signup(name, *CAMPS) for name in ("a", "b", "c", "d")]
    for seed in seeds(100):
        assert len(set(agents(allocated(everybody, seed)))) == 3


def test_a_camp_without_volunteers_is_backfilled() -> None:
    outcome = allocated([signup("p", PRO), signup("c", CON), signup("also-p", PRO)])
    assert outcome.backfilled == (JUDGE,)
    assert agents(outcome)[1] == "c"
    assert {agents(outcome)[0], agents(outcome)[2]} == {"p", "also-p"}


def test_nothing_is_backfilled_when_not_everything_can_be() -> None:
    outcome = allocate([signup("alice", PRO), signup("bob", PRO)], SEED)
    assert outcome == Shortfall(
        "insufficient signups: 1 of 3 camps could be filled; nobody volunteered for con and judge"
        " and only 1 signup was left to backfill them",
        filled=1,
    )


def test_a_large_pool_stays_distinct_and_is_drawn_from_fast() -> None:
    pool = [signup(f"agent-{n}", *KINDS[n % 7]) for n in range(100_000)]
    started = perf_counter()
    outcome = allocated(pool)
    assert perf_counter() - started < 5  # 0.06 s alone; an answer by enumeration takes days
    assert len(set(agents(outcome))) == 3
    assert outcome.backfilled == ()


# What a greedy draw gets wrong


def test_the_only_volunteer_of_a_camp_is_never_drawn_for_another() -> None:
    signups = [signup("anything", *CAMPS), signup("pro-or-con", PRO, CON), signup("pro", PRO)]
    for seed in seeds(200):
        outcome = allocated(signups, seed)
        assert agents(outcome) == ("pro", "pro-or-con", "anything")
        assert outcome.backfilled == ()


def test_several_camps_are_backfilled_from_those_left() -> None:
    signups = [signup(name, PRO) for name in ("a", "b", "c", "d")]
    seen = Counter(agents(allocated(signups, seed)) for seed in seeds(4800))
    assert allocated(signups).backfilled == (CON, JUDGE)
    assert len(seen) == 24
    assert chi_squared(seen, 24) < 49.7  # 23 degrees of freedom, p = 0.001


# Reasons


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (
            [(JUDGE,)],
            (
                "1 of 3 camps could be filled; nobody volunteered for pro and con"
                " and no signup was left to backfill them"
            ),
        ),
        (
            [CAMPS],
            (
                "1 of 3 camps could be filled; every volunteer for pro and con was needed elsewhere"
                " and no signup was left to backfill them"
            ),
        ),
        (
            [(PRO, JUDGE)],
            (
                "1 of 3 camps could be filled; nobody volunteered for con,"
                " every volunteer for judge was needed elsewhere"
                " and no signup was left to backfill them"
            ),
        ),
        (
            [(PRO,), (CON, JUDGE)],
            (
                "2 of 3 camps could be filled; every volunteer for judge was needed elsewhere"
                " and no signup was left to backfill it"
            ),
        ),
        (
            [(CON,), (CON,)],
            (
                "1 of 3 camps could be filled; nobody volunteered for pro and judge"
                " and only 1 signup was left to backfill them"
            ),
        ),
    ],
)
def test_the_reason_says_what_was_missing(kinds: list[tuple[Camp, ...]], reason: str) -> None:
    signups = [signup(f"agent-{n}", *kind) for n, kind in enumerate(kinds)]
    reasons = {
        outcome.reason
        for seed in seeds(20)
        if isinstance(outcome := allocate(signups, seed), Shortfall)
    }
    assert f"insufficient signups: {reason}" in reasons


# Properties


@given(some_signups, some_seeds)
def test_as_many_camps_as_possible_go_to_volunteers(signups: list[Signup], seed: bytes) -> None:
    most = len(every_assignment(signups)[0])
    willing = {entry.agent_id: entry.willing_camps for entry in signups}
    match allocate(signups, seed):
        case Allocation(camps=camps, backfilled=backfilled):
            assert tuple(seat.camp for seat in camps) == CAMPS
            assert len({seat.agent_id for seat in camps}) == 3
            unwilling = [seat.camp for seat in camps if seat.camp not in willing[seat.agent_id]]
            assert tuple(unwilling) == backfilled
            assert len(backfilled) == 3 - most
        case Shortfall(filled=filled):
            assert len(signups) < 3
            assert filled == most


@given(some_signups, some_seeds)
def test_the_same_seed_gives_the_same_result(signups: list[Signup], seed: bytes) -> None:
    assert allocate(signups, seed) == allocate(list(signups), bytes(seed))


@given(some_signups)
def test_ranks_are_one_to_one_with_the_fullest_assignments(signups: list[Signup]) -> None:
    expected = every_assignment(signups)
    assert count_assignments(signups) == len(expected)
    assert [nth_assignment(signups, rank) for rank in range(len(expected))] == expected


def test_there_is_no_assignment_past_the_last() -> None:
    signups = [signup("alice", PRO)]
    with pytest.raises(IndexError):
        nth_assignment(signups, count_assignments(signups))


@pytest.mark.parametrize(
    ("kinds", "possible", "critical"),
    [
        ([CAMPS, CAMPS, CAMPS], 6, 20.5),
        ([CAMPS, (PRO, CON), (PRO, JUDGE), (CON,)], 7, 22.4),
        ([(PRO,), (PRO,), (PRO, CON), (JUDGE,)], 2, 10.8),
    ],
)
def test_every_fullest_assignment_is_as_likely(
    kinds: list[tuple[Camp, ...]], possible: int, critical: float
) -> None:
    signups = [signup(f"agent-{n}", *kind) for n, kind in enumerate(kinds)]
    assert len(every_assignment(signups)) == possible
    seen = Counter(agents(allocated(signups, seed)) for seed in seeds(1000 * possible))
    assert len(seen) == possible
    assert chi_squared(seen, possible) < critical  # p = 0.001 at its degrees of freedom


# Auditing


def test_a_true_draw_is_confirmed() -> None:
    signups = [signup(name, *CAMPS) for name in ("a", "b", "c", "d")]
    evidence = draw_evidence(b"s" * 32, signups)
    outcome = allocated(signups, bytes.fromhex(evidence.seed))
    check = recompute(evidence, signups, commitment(b"s" * 32))
    assert check.holds
    assert check.outcome == outcome
    assert check.expected == evidence
    assert check.confirms(outcome.camps, outcome.backfilled, None)
    assert not check.confirms(outcome.camps[::-1], outcome.backfilled, None)
    assert not check.confirms(outcome.camps, (JUDGE,), None)
    assert not check.confirms((), (), "insufficient signups")


def test_a_true_shortfall_is_confirmed() -> None:
    evidence = draw_evidence(b"s" * 32, [])
    check = recompute(evidence, [], commitment(b"s" * 32))
    reason = "insufficient signups: 0 of 3 camps could be filled; nobody signed up"
    assert check.confirms((), (), reason)
    assert not check.confirms((), (), "something else")


def test_whatever_was_changed_shows() -> None:
    signups = [signup(name, *CAMPS) for name in ("a", "b", "c", "d")]
    evidence = draw_evidence(b"s" * 32, signups)
    committed = commitment(b"s" * 32)

    assert not recompute(evidence, signups, commitment(b"t" * 32)).commitment_matches
    assert not recompute(evidence, signups, None).commitment_matches
    other_seed = evidence.model_copy(update={"seed": "0" * 64})
    assert not recompute(other_seed, signups, committed).seed_matches
    other_rule = evidence.model_copy(update={"algorithm": "moot-three-camps-0"})
    assert not recompute(other_rule, signups, committed).algorithm_known
    fewer = recompute(evidence, signups[:3], committed)
    assert not fewer.signups_hash_matches
    assert not fewer.seed_matches
    assert not fewer.holds
