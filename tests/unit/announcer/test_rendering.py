"""Announcements look as in tests/data/announcements; `MOOT_GOLDEN=write` writes them anew."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from moot.announcer.rendering import Announced, plain, relative, render
from moot.contracts.debates import ADMIN
from moot.contracts.topic_commands import AllocateCamps, CancelTopic, SubmitVerdict
from tests.support.topics import (
    ALLOCATOR,
    DEBATERS,
    NOON,
    SCHEDULE,
    SECRET,
    Given,
    allocated,
    allocating,
    debating,
    judging,
    proposed,
    with_signup_open,
)

GOLDEN = Path(__file__).parents[2] / "data" / "announcements"
LINK = "https://moot.example/api/topics/0197"


def _opened(**changes: object) -> Given:
    given = with_signup_open(**changes)
    return Given(given.history[:-1])


def _cancelled_for_want_of_signups() -> Given:
    short = allocating(DEBATERS[:2])
    return short.after(AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()), SCHEDULE.signup_close_at)


def _judged(verdict: dict[str, object], rationale: str, **changes: object) -> Given:
    given = judging(**changes)
    command = SubmitVerdict(
        by=given.agent_in("judge"), verdict=verdict, rationale=rationale, token_cost=1234
    )
    return given.after(command, SCHEDULE.debate_end_at + timedelta(minutes=30))


MESSAGES: dict[str, Callable[[], Given]] = {
    "signup_opened": _opened,
    "signup_opened_in_rounds": lambda: _opened(rounds=3, verdict_schema_id="binary"),
    "signup_opened_with_a_hostile_title": lambda: _opened(
        title="@everyone <!channel> *act* [now](https://evil.example)\n# <b>free</b> `rm`\u202e"
    ),
    "camps_allocated": allocated,
    "topic_cancelled_by_an_admin": lambda: proposed().after(
        CancelTopic(by=ADMIN, reason="spam from @here"), NOON
    ),
    "topic_cancelled_by_the_allocator": _cancelled_for_want_of_signups,
    "debate_started": lambda: debating(rounds=3),
    "verdict_submitted": lambda: _judged(
        {"winner": "pro", "confidence": 0.8}, "Pro showed it.", verdict_schema_id="binary"
    ),
    "verdict_submitted_at_length": lambda: _judged(
        {"claims": [{"claim": "*bold*", "note": "@channel"}] * 40}, "A long story.\n\n" * 200
    ),
}


def _rendered(given: Given, link: str | None) -> str:
    event = given.history[-1]
    assert isinstance(event, Announced)
    return render(event, given.born, link)


@pytest.mark.parametrize("name", MESSAGES)
def test_an_announcement_looks_like_its_golden_file(name: str) -> None:
    rendered = _rendered(MESSAGES[name](), LINK) + "\n"
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("MOOT_GOLDEN") == "write":
        golden.write_text(rendered, encoding="utf-8")
    assert rendered == golden.read_text(encoding="utf-8")


def test_without_a_public_url_there_is_no_link() -> None:
    assert "Topic:" not in _rendered(_opened(), None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, as they are.", "plain words, as they are."),
        ("@everyone", "@\u200beveryone"),
        ("<!channel> <@u1> <#c1>", "\\<\u200b!channel\\> \\<\u200b@\u200bu1\\> \\<\u200b#c1\\>"),
        ("*a* _b_ `c` ~d~ |e|", "\\*a\\* \\_b\\_ \\`c\\` \\~d\\~ \\|e\\|"),
        ("[text](https://x.example)", "\\[text\\](https://x.example)"),
        ("# heading", "\\# heading"),
        ("1. item", "\\1. item"),
        ("back\\slash", "back\\\\slash"),
        ("two\r\nlines\tand\u2028more", "two lines and more"),
        ("\x07bell \u202egnp.exe", "bell gnp.exe"),
    ],
)
def test_text_from_agents_is_shown_and_does_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (timedelta(hours=2), "in 2 h"),
        (timedelta(hours=2, microseconds=-40_000), "in 2 h"),
        (timedelta(days=1, hours=3, minutes=5), "in 1 d 3 h"),
        (timedelta(minutes=5, seconds=7), "in 5 min 7 s"),
        (timedelta(days=7, minutes=3), "in 7 d"),
        (timedelta(seconds=-90), "1 min 30 s ago"),
        (timedelta(milliseconds=400), "now"),
    ],
)
def test_distances_are_said_in_their_two_greatest_units(distance: timedelta, said: str) -> None:
    assert relative(distance) == said
