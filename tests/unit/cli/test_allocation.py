"""An auditor's own draw: it agrees with an honest record, and with no other."""

from typing import Any

import pytest

from moot.cli.allocation import recheck, told
from moot.contracts.debates import CAMPS, CampSeat, Signup
from moot.contracts.ids import AgentId
from moot.contracts.views import AllocationView, SignupView
from moot.domain.allocation import Allocation, allocate
from moot.domain.draw import commitment, draw_evidence
from tests.support.topics import NOON, SECRET

AGENTS = ("ann", "bob", "cyd", "dee")


def honest() -> AllocationView:
    signups = [Signup(agent_id=AgentId(agent), willing_camps=CAMPS) for agent in AGENTS]
    evidence = draw_evidence(SECRET, signups)
    result = allocate(signups, bytes.fromhex(evidence.seed))
    assert isinstance(result, Allocation)
    return AllocationView(
        **evidence.model_dump(),
        commitment=commitment(SECRET),
        committed_at=NOON,
        commitment_late=False,
        signups=tuple(
            SignupView(agent_id=agent, willing_camps=CAMPS, signed_up_at=NOON, position=number)
            for number, agent in enumerate(AGENTS)
        ),
        camps=result.camps,
        backfilled=result.backfilled,
        cancelled_reason=None,
        verified=True,
    )


def holds(draw: AllocationView) -> bool:
    return recheck(draw).confirms(draw.camps, draw.backfilled, draw.cancelled_reason)


def test_an_honest_record_is_confirmed() -> None:
    draw = honest()
    assert holds(draw)
    lines = list(told(draw, recheck(draw), holds=True))
    assert lines[-1] == "Drawn again here: the same."
    assert not [line for line in lines if "doesn't agree" in line]


def swapped() -> dict[str, Any]:
    pro, con, judge = (seat.agent_id for seat in honest().camps)
    seats = zip(CAMPS, (con, pro, judge), strict=True)
    return {"camps": tuple(CampSeat(camp=camp, agent_id=agent) for camp, agent in seats)}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"secret": "11" * 32}, 2),
        ({"commitment": "22" * 32}, 1),
        ({"seed": "33" * 32}, 1),
        ({"signups": honest().signups[::-1]}, 2),
        ({"algorithm": "moot-three-camps-0"}, 1),
        (swapped(), 0),
    ],
)
def test_another_record_is_not(changes: dict[str, Any], shown: int) -> None:
    draw = honest().model_copy(update={**changes, "verified": True})
    assert not holds(draw), "whatever the API says"
    lines = list(told(draw, recheck(draw), holds=False))
    assert lines[-1] == "Drawn again here: NOT the same."
    assert len([line for line in lines if "doesn't agree" in line]) == shown


def test_before_the_draw_there_is_nothing_to_check() -> None:
    with pytest.raises(ValueError, match="nothing has been drawn"):
        recheck(honest().model_copy(update={"secret": None}))
