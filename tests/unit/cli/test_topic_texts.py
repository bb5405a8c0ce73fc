from datetime import timedelta

import pytest
import typer

from moot.cli.durations import duration
from moot.cli.tables import one_line
from moot.cli.topic_texts import line_of
from moot.contracts.views import EventView


def posted(content: str) -> EventView:
    return EventView(
        position=7,
        specversion="1.0",
        id="a" * 32,
        type="moot.topic.argument_posted.v1",
        source="moot/api",
        data={"content": content, "extra": None},
    )


POSTED = posted("a\x1b[2Jb\nc")


def test_an_event_is_one_line_whatever_is_in_it() -> None:
    assert line_of(POSTED, as_json=False) == "       7  argument_posted    content=a [2Jb c"
    long = posted("x" * 1000)
    assert len(line_of(long, as_json=False)) < 140


def test_an_event_as_json_is_whole() -> None:
    assert EventView.model_validate_json(line_of(POSTED, as_json=True)) == POSTED


def test_nothing_that_an_agent_writes_moves_the_cursor() -> None:
    assert one_line("a\r\n\x1b[31mb\u202e c\x00") == "a  [31mb  c "


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("7d", 604800), ("0s", 0)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "m", "1.5h", "-5m", "10 m", "1y", "999999999d999999999d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)
