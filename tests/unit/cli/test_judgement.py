"""The demo's verdict follows from the human judgements, and says how."""

import pytest

from moot.cli.demo.example import Example, read_example
from moot.cli.demo.judgement import judge, schema_for
from moot.contracts.debates import Camp
from moot.domain.verdict_schemas import BUILT_IN, check


def example(pro: list[float | None], con: list[float | None]) -> Example:
    ranked = [(Camp.PRO, rank) for rank in pro] + [(Camp.CON, rank) for rank in con]
    return Example.model_validate(
        {
            "motion": "m",
            "sides": {"pro": "p", "con": "c"},
            "source": "s",
            "licence": "l",
            "arguments": [
                {"turn": turn, "side": side, "speaker": "x", "text": "t", "rank_score": rank}
                for turn, (side, rank) in enumerate(ranked, start=1)
            ],
        }
    )


@pytest.mark.parametrize(
    ("pro", "con", "winner", "confidence"),
    [
        ([1], [2], "pro", 1.0),
        ([2], [1], "con", 1.0),
        ([1, 4], [2, 3, 5], "pro", 4 / 6),
        ([1, 1], [1], "con", 0.5),
        ([1, 9], [9, 9], "pro", 0.75),
    ],
)
def test_the_side_wins_whose_arguments_win_more_pairs(
    pro: list[float | None], con: list[float | None], winner: str, confidence: float
) -> None:
    verdict = judge(example(pro, con)).verdict
    assert verdict == {"winner": winner, "confidence": round(confidence, 4)}


def test_without_ranks_nothing_decides() -> None:
    debate = example([None, None], [None])
    assert judge(debate).verdict == {"winner": None, "arguments": {"pro": 2, "con": 1}}


@pytest.mark.parametrize("debate", [example([1], [2]), example([None], [None]), read_example(None)])
def test_the_verdict_matches_the_topics_schema(debate: Example) -> None:
    judgement = judge(debate)
    assert judgement.schema_id == schema_for(debate)
    assert check(BUILT_IN[judgement.schema_id], judgement.verdict) == ()


def test_the_shipped_debate_is_won_by_pro_narrowly() -> None:
    judgement = judge(read_example(None))
    assert judgement.verdict == {"winner": "pro", "confidence": 0.567}
    assert "each of the 32 arguments for pro with each of the 28 for con" in judgement.rationale
