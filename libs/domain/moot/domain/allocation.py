"""The three-camp rule: who argues pro, who con, and who judges.

Specified, with test vectors, in docs/allocation.md; what it computes is fixed by `ALGORITHM`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from moot.contracts.debates import CAMPS, Camp, CampSeat, Signup
from moot.contracts.topic_events import DrawEvidence
from moot.domain.draw import ALGORITHM, Luck, commitment, draw_evidence

Camps = tuple[Camp, ...]
"""Some of the camps, always in the order pro, con, judge."""

Tally = Counter[Camps]
"""How many sign-ups are willing to take just these camps."""


@dataclass(frozen=True, slots=True)
class Allocation:
    camps: tuple[CampSeat, CampSeat, CampSeat]
    """In the order pro, con, judge."""
    backfilled: Camps
    """The camps whose agent was drawn without having volunteered for it."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    reason: str
    filled: int
    """How many camps could be filled with volunteers."""


@dataclass(frozen=True, slots=True)
class DrawCheck:
    """What a draw comes to when it is recomputed, and which of the things recorded agree."""

    outcome: Allocation | Shortfall
    expected: DrawEvidence
    algorithm_known: bool
    commitment_matches: bool
    signups_hash_matches: bool
    seed_matches: bool

    @property
    def holds(self) -> bool:
        """Whether `outcome` is what the revealed secret must give from these sign-ups."""
        return (
            self.algorithm_known
            and self.commitment_matches
            and self.signups_hash_matches
            and self.seed_matches
        )

    def confirms(self, camps: Sequence[CampSeat], backfilled: Camps, reason: str | None) -> bool:
        """Whether the draw holds and gives just what was recorded.

        `camps` is empty where the allocator cancelled; `reason` counts only there.
        """
        match self.outcome:
            case Allocation():
                drawn = (self.outcome.camps, self.outcome.backfilled) == (tuple(camps), backfilled)
            case Shortfall():
                drawn = not camps and self.outcome.reason == reason
        return self.holds and drawn


def allocate(signups: Sequence[Signup], seed: bytes) -> Allocation | Shortfall:
    """Give each camp an agent, by the rule; the same input gives the same result, for ever.

    `signups` are in order of signing up and hold each agent once: who calls makes sure of that
    (signing up again replaces), and nothing here checks it.
    """
    luck = Luck(seed)
    places = nth_assignment(signups, luck.below(count_assignments(signups)))
    missing = tuple(camp for camp in CAMPS if camp not in places)
    left = [place for place in range(len(signups)) if place not in places.values()]
    if len(left) < len(missing):
        return Shortfall(_reason(signups, missing, len(left)), filled=len(places))
    for camp in missing:
        places[camp] = left.pop(luck.below(len(left)))
    pro, con, judge = (
        CampSeat(camp=camp, agent_id=signups[places[camp]].agent_id) for camp in CAMPS
    )
    return Allocation(camps=(pro, con, judge), backfilled=missing)


def recompute(
    evidence: DrawEvidence, signups: Sequence[Signup], committed: str | None
) -> DrawCheck:
    """Draw again from the revealed secret, as an auditor does.

    `committed` is the commitment that was published, None if there was none (which doesn't match).
    `signups` are those at the close, in order of signing up.
    """
    secret = bytes.fromhex(evidence.secret)
    expected = draw_evidence(secret, signups)
    return DrawCheck(
        outcome=allocate(signups, bytes.fromhex(expected.seed)),
        expected=expected,
        algorithm_known=evidence.algorithm == ALGORITHM,
        commitment_matches=committed == commitment(secret),
        signups_hash_matches=evidence.signups_hash == expected.signups_hash,
        seed_matches=evidence.seed == expected.seed,
    )


def count_assignments(signups: Sequence[Signup]) -> int:
    """Count the assignments that fill as many camps as possible with volunteers; at least 1.

    Nobody signed up: the one assignment that fills no camp.
    """
    return sum(ways for _, ways in _fullest(_tally(signups)))


def nth_assignment(signups: Sequence[Signup], rank: int) -> dict[Camp, int]:
    """Return assignment number `rank`, from 0, of those that `count_assignments` counts.

    It says for each camp filled at which place in `signups`, from 0, its volunteer is.

    Their order: by the camps filled (pro and con, pro and judge, con and judge; pro, con, judge),
    then by the places in `signups` of pro's, con's and judge's volunteer. Takes time in proportion
    to the sign-ups, not to the assignments. IndexError past the last one.
    """
    tally = _tally(signups)
    for camps, ways in _fullest(tally):
        if rank < ways:
            return _unrank(signups, tally, camps, rank)
        rank -= ways
    raise IndexError("there are fewer assignments")


def _tally(signups: Sequence[Signup]) -> Tally:
    return Counter(signup.willing_camps for signup in signups)


def _fullest(tally: Tally) -> list[tuple[Camps, int]]:
    """Return each largest set of camps that volunteers can fill, and in how many ways they can."""
    for size in range(len(CAMPS), 0, -1):
        counted = [(camps, _ways(tally, camps)) for camps in combinations(CAMPS, size)]
        if any(ways for _, ways in counted):
            return counted
    return [((), 1)]


def _ways(tally: Tally, camps: Camps) -> int:
    """Count the ways to fill all of `camps` with different volunteers.

    Sign-ups with the same willingness are interchangeable, and there are seven kinds at most.
    """
    if not camps:
        return 1
    first, *rest = camps
    return sum(
        count * _ways(_without(tally, willing), tuple(rest))
        for willing, count in tally.items()
        if first in willing
    )


def _without(tally: Tally, willing: Camps) -> Tally:
    return tally - Counter([willing])


def _unrank(signups: Sequence[Signup], tally: Tally, camps: Camps, rank: int) -> dict[Camp, int]:
    places: dict[Camp, int] = {}
    for number, camp in enumerate(camps, start=1):
        completions = {
            willing: _ways(_without(tally, willing), camps[number:])
            for willing in tally
            if camp in willing
        }
        for place, signup in enumerate(signups):
            ways = completions.get(signup.willing_camps, 0)
            if not ways or place in places.values():
                continue
            if rank < ways:
                places[camp] = place
                tally = _without(tally, signup.willing_camps)
                break
            rank -= ways
    return places


def _reason(signups: Sequence[Signup], missing: Camps, left: int) -> str:
    """Say why `missing` stay empty. A camp's volunteers can only be missing if seated elsewhere."""
    filled = f"insufficient signups: {len(CAMPS) - len(missing)} of 3 camps could be filled; "
    if not signups:
        return filled + "nobody signed up"
    wanted = {camp for signup in signups for camp in signup.willing_camps}
    unwanted = [camp for camp in missing if camp not in wanted]
    taken = [camp for camp in missing if camp in wanted]
    causes = [
        *([f"nobody volunteered for {' and '.join(unwanted)}"] if unwanted else []),
        *([f"every volunteer for {' and '.join(taken)} was needed elsewhere"] if taken else []),
    ]
    remaining = f"only {left} signup was left" if left else "no signup was left"
    them = "it" if len(missing) == 1 else "them"
    return f"{filled}{', '.join(causes)} and {remaining} to backfill {them}"
