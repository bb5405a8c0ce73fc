"""Debates to play: the form of examples/README.md, and what isn't in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from moot.cli.demo.example import ROUNDS, ExampleError, read_example
from moot.contracts.debates import Camp

LINCOLN_DOUGLAS = sorted(Path(__file__).parents[2].glob("data/debates/*.json"))


def written(folder: Path, **changes: object) -> Path:
    debate: dict[str, Any] = {
        "motion": "Tea or coffee",
        "sides": {"pro": "tea", "con": "coffee"},
        "source": "made up",
        "licence": "CC0",
        "arguments": [
            {"turn": 1, "side": "pro", "speaker": "a", "text": "Tea calms."},
            {"turn": 2, "side": "con", "speaker": "b", "text": "Coffee wakes."},
        ],
    }
    file = folder / "debate.json"
    file.write_text(json.dumps(debate | changes))
    return file


def test_the_shipped_debate_has_its_sixty_arguments_in_order() -> None:
    debate = read_example(None)
    assert debate.motion == "Ban Plastic Water Bottles"
    assert [argument.turn for argument in debate.arguments] == list(range(1, 61))
    assert [len(arguments) for arguments in debate.in_rounds()] == [20, 20, 20]
    assert debate.speakers == 18
    assert debate.licence == "CC BY 4.0"


@pytest.mark.parametrize("file", LINCOLN_DOUGLAS, ids=lambda file: file.stem)
def test_the_debates_of_1858_are_in_the_same_form(file: Path) -> None:
    debate = read_example(file)
    in_rounds = debate.in_rounds()
    assert sum(in_rounds, ()) == debate.arguments
    assert len(in_rounds) == ROUNDS
    assert all(in_rounds)
    assert {argument.speaker for argument in debate.arguments} == set(
        debate.sides.model_dump().values()
    )


def test_there_are_seven_of_them() -> None:
    assert len(LINCOLN_DOUGLAS) == 7


def test_rounds_are_dealt_out_evenly_where_arguments_name_none(tmp_path: Path) -> None:
    debate = read_example(written(tmp_path))
    assert [[a.side for a in arguments] for arguments in debate.in_rounds()] == [
        [Camp.PRO],
        [Camp.CON],
        [],
    ]


def test_what_is_posted_names_its_speaker(tmp_path: Path) -> None:
    assert read_example(written(tmp_path)).arguments[0].content == "Tea calms.\n\n— a"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "both sides"),
        ([{"turn": 2, "side": "pro", "speaker": "a", "text": "t"}], "turns must count"),
        ([{"turn": 1, "side": "pro", "speaker": "a", "text": "t"}], "both sides"),
        ([{"turn": 1, "side": "judge", "speaker": "a", "text": "t"}], "arguments.0.side"),
        (
            [
                {"turn": 1, "side": "pro", "speaker": "a", "text": "t", "rank_score": 1},
                {"turn": 2, "side": "con", "speaker": "a", "text": "t"},
            ],
            "rank_score",
        ),
        (
            [
                {"turn": 1, "side": "pro", "speaker": "a", "text": "t", "round": 2},
                {"turn": 2, "side": "con", "speaker": "a", "text": "t", "round": 1},
            ],
            "round",
        ),
    ],
)
def test_what_hangs_not_together_is_refused(
    tmp_path: Path, arguments: list[object], says: str
) -> None:
    with pytest.raises(ExampleError, match=says):
        read_example(written(tmp_path, arguments=arguments))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match="No such file"):
        read_example(tmp_path / "missing.json")
