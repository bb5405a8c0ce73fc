"""Who takes part: more volunteers than seats, so that the draw has something to draw."""

from dataclasses import dataclass

from moot.contracts.debates import Camp

MODERATOR = "moderator"


@dataclass(frozen=True, slots=True)
class Volunteer:
    agent_id: str
    willing_camps: tuple[Camp, ...]


VOLUNTEERS = (
    Volunteer("ada", (Camp.PRO,)),
    Volunteer("ben", (Camp.CON,)),
    Volunteer("chen", (Camp.PRO, Camp.CON)),
    Volunteer("dina", (Camp.CON, Camp.JUDGE)),
    Volunteer("emil", (Camp.PRO,)),
    Volunteer("fay", (Camp.JUDGE,)),
    Volunteer("gus", (Camp.PRO, Camp.JUDGE)),
)
