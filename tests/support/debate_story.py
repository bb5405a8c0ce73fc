"""Small debates to play in tests, and how fast."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from rich.console import Console

from moot.cli.demo.cast import VOLUNTEERS, Volunteer
from moot.cli.demo.check import Check
from moot.cli.demo.example import ROUNDS, Example
from moot.cli.demo.play import Pace, Play
from moot.cli.demo.screen import Screen
from moot.client import MootClient
from moot.contracts.debates import Camp

BRISK = Pace(
    opens_after=timedelta(seconds=0.5),
    signup_takes=timedelta(seconds=2),
    draw_takes=timedelta(seconds=0.7),
    round_takes=timedelta(seconds=1.2),
    patience=timedelta(seconds=20),
    posting_share=0.5,
)

COMPRESSED = replace(
    BRISK, signup_takes=timedelta(seconds=4), round_takes=timedelta(seconds=5), posting_share=0.6
)
"""Hundreds of arguments in a quarter of a minute, and sign-up for many debates at once."""

TO_BE_KILLED = replace(BRISK, round_takes=timedelta(seconds=2.5))
"""Long enough for whatever is killed to come back before the debate ends."""

UNHURRIED = replace(
    TO_BE_KILLED, signup_takes=timedelta(seconds=5), round_takes=timedelta(seconds=3)
)
"""Long enough even for those who come back in the middle of sign-up."""

LONGEST_STRETCH = 4.0


def stretched(pace: Pace) -> Pace:
    """As much slower as processes wait for each CPU now: what is killed comes back later then."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    by = min(max(waiting, 1.0), LONGEST_STRETCH)
    return replace(
        pace,
        opens_after=pace.opens_after * by,
        signup_takes=pace.signup_takes * by,
        draw_takes=pace.draw_takes * by,
        round_takes=pace.round_takes * by,
        patience=pace.patience * by,
    )


def small_debate(motion: str, *, each_round: int = 4) -> Example:
    """Every argument is another text, so that a lost or doubled one can't hide."""
    return Example.model_validate(
        {
            "motion": motion,
            "sides": {"pro": "yes", "con": "no"},
            "source": "made up for a test",
            "licence": "CC0",
            "arguments": [
                {
                    "turn": turn,
                    "side": (Camp.PRO, Camp.CON)[turn % 2],
                    "speaker": f"speaker-{turn % 3}",
                    "text": f"Argument {turn} about {motion}.",
                    "rank_score": turn / 100,
                }
                for turn in range(1, ROUNDS * each_round + 1)
            ],
        }
    )


def play(
    client: MootClient,
    keys: Mapping[str, str],
    example: Example,
    *,
    pace: Pace = BRISK,
    volunteers: Sequence[Volunteer] = VOLUNTEERS,
) -> Play:
    """A debate that is shown to nobody."""
    agents = {name: client.as_agent(key) for name, key in keys.items()}
    return Play(client, agents, example, Screen(Console(quiet=True)), pace, volunteers)


def failures(checks: Sequence[Check]) -> list[str]:
    """What didn't hold; an assertion that this is empty shows the rest."""
    return [f"{check.claim}: {check.evidence}" for check in checks if not check.held]
