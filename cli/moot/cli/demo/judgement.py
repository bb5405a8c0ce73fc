"""The verdict that follows from how convincing people found the arguments."""

from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

from moot.cli.demo.example import Example
from moot.contracts.debates import Camp


@dataclass(frozen=True, slots=True)
class Judgement:
    schema_id: str
    verdict: dict[str, Any]
    rationale: str


def schema_for(example: Example) -> str:
    """The verdict schema that a topic for this debate has to name."""
    return "binary" if _ranks(example, Camp.PRO) else "free-form"


def judge(example: Example) -> Judgement:
    """Compare each argument of one side with each of the other.

    The share of pairs that a side wins is the probability that an argument of its, drawn at random,
    convinces more than one of the other's: McGraw and Wong's common language effect size (1992), or
    Mann and Whitney's U over the number of pairs (1947).
    """
    pro, con = _ranks(example, Camp.PRO), _ranks(example, Camp.CON)
    if not pro or not con:
        return _undecided(example)
    pairs = len(pro) * len(con)
    share = sum((p < c) + (p == c) / 2 for p, c in product(pro, con)) / pairs
    # A draw goes to con: the motion didn't carry.
    winner, confidence = (Camp.PRO, share) if share > 1 / 2 else (Camp.CON, 1 - share)
    rationale = (
        f"Decided by people, not by me: every argument here was ranked by how convincing human "
        f"judges found it (lower is better). I compared each of the {len(pro)} arguments for pro "
        f"with each of the {len(con)} for con. {winner} had the more convincing one in "
        f"{confidence:.1%} of these {pairs} pairs, ties counting half, and that share is my "
        f"confidence. The median rank is {median(pro):.5f} for pro and {median(con):.5f} for con."
    )
    verdict = {"winner": winner.value, "confidence": round(confidence, 4)}
    return Judgement("binary", verdict, rationale)


def _undecided(example: Example) -> Judgement:
    counts = {side.value: len(_of(example, side)) for side in (Camp.PRO, Camp.CON)}
    rationale = (
        f"Nobody recorded how convincing people found these {example.size} arguments, so nothing "
        f"decides between the {counts['pro']} for pro and the {counts['con']} for con."
    )
    return Judgement("free-form", {"winner": None, "arguments": counts}, rationale)


def _of(example: Example, side: Camp) -> list[float | None]:
    return [argument.rank_score for argument in example.arguments if argument.side is side]


def _ranks(example: Example, side: Camp) -> list[float]:
    return [rank for rank in _of(example, side) if rank is not None]
