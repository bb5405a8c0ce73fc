"""A play waits for what can still come, and for nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from moot.cli.condition import NeverHappenedError
from moot.contracts.debates import Camp, Stage
from tests.support.debate_story import play, small_debate
from tests.support.scripted import Script, answer

DOCUMENT = Path(__file__).parents[3] / "docs/openapi.json"
SEATS = {Camp.PRO: "ann", Camp.CON: "bob", Camp.JUDGE: "cyd"}


def judged() -> dict[str, Any]:
    """The document's example of a topic, in the stage after its debate."""
    read = json.loads(DOCUMENT.read_text())["paths"]["/api/topics/{topic_id}"]["get"]
    example: dict[str, Any] = read["responses"]["200"]["content"]["application/json"]["example"]
    return example | {"status": Stage.JUDGING, "round": None}


async def test_a_debate_that_is_over_is_not_waited_for() -> None:
    script = Script([answer(judged())])
    async with script.client() as client:
        debate = play(client, {}, small_debate("missed"))
        with pytest.raises(NeverHappenedError, match=r"^round 1 wasn't seen: .* judging already$"):
            await debate.argue("b" * 32, SEATS)
    assert len(script.asked) == 2
