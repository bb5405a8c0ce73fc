"""`debates_v1`: a topic as it stands, who takes part in it, and what was said in it."""

from collections.abc import Sequence
from typing import get_args

from moot.contracts.debates import CAMPS as EVERY_CAMP
from moot.contracts.debates import Camp, Stage, TopicTerms
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import (
    ArgumentPosted,
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    DrawCommitted,
    DrawEvidence,
    JudgeReplaced,
    RoundOpened,
    SignedUp,
    SignupClosed,
    SignupOpened,
    SignupWithdrawn,
    TopicAmended,
    TopicCancelled,
    TopicCreated,
    TopicEvent,
    VerdictOverdue,
    VerdictSubmitted,
    VisibilitySet,
)
from moot.projector.plain.debate_tables import (
    ARGUMENTS,
    CAMPS,
    DEBATE_TABLES,
    DRAWS,
    ROUNDS,
    SIGNUPS,
    TOPICS,
    VERDICTS,
)
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import Row, Values, canonical

Columns = dict[str, object]

_ENDS = {Stage.COMPLETED.value, Stage.CANCELLED.value}


class _Topic:
    """One topic. Only arguments settle at once; the rest is put away with the topic."""

    def __init__(self, stream: StreamName) -> None:
        self._id = stream.id
        self._topic: Columns | None = None
        self._signups: dict[str, Values] = {}
        self._seats: dict[Camp, Values] = {}
        self._rounds: dict[int, Values] = {}
        self._verdict: Values | None = None
        self._draw: Columns = {}

    @property
    def is_over(self) -> bool:
        return self._topic is not None and self._topic["status"] in _ENDS

    def add(self, recorded: Recorded) -> Sequence[Row]:
        event, position = recorded.event, recorded.position
        if isinstance(event, TopicCreated):
            self._topic = self._topic or self._created(event, position)
        elif self._topic is not None:
            self._topic["position"] = position
        if isinstance(event, ArgumentPosted):
            said = (event.round_no, event.camp.value, event.agent_id, event.content)
            return [(ARGUMENTS, (recorded.envelope.id, self._id, *said, event.posted_at, position))]
        if isinstance(event, TopicEvent):
            if self._topic is not None:
                _change_topic(self._topic, event)
            self._change_others(event, position)
        return ()

    def rows(self) -> Sequence[Row]:
        rows: list[Row] = [] if self._topic is None else [TOPICS.row(self._topic)]
        rows += [(SIGNUPS, signup) for signup in self._signups.values()]
        rows += [(CAMPS, seat) for seat in self._seats.values()]
        rows += [(ROUNDS, opened) for opened in self._rounds.values()]
        if self._verdict is not None:
            rows.append((VERDICTS, self._verdict))
        if self._draw:
            nothing = dict.fromkeys(DRAWS.columns)
            rows.append(DRAWS.row({**nothing, "topic_id": self._id, **self._draw}))
        return rows

    def _created(self, event: TopicCreated, position: int) -> Columns:
        return {
            "topic_id": self._id,
            "creator": event.creator,
            **_terms(event.terms),
            "verdict_overdue": False,
            "rounds": event.rounds,
            "visibility": event.visibility.value,
            "verdict_schema_id": event.verdict_schema_id,
            "status": Stage.CREATED.value,
            "round_no": None,
            "cancelled_reason": None,
            "created_at": event.created_at,
            "created_position": position,
            "position": position,
        }

    def _change_others(self, event: TopicEvent, position: int) -> None:
        match event:
            case SignedUp():
                self._sign_up(event, position)
            case SignupWithdrawn():
                self._signups.pop(event.agent_id, None)
            case DrawCommitted():
                self._draw |= {
                    "algorithm": event.algorithm,
                    "commitment": event.commitment,
                    "committed_at": event.committed_at,
                    "signups_before": event.signups_before,
                    "position": position,
                }
            case CampsAllocated():
                self._allocate(event, position)
            case TopicCancelled(draw=DrawEvidence() as evidence):
                self._drawn(evidence, position)
            case JudgeReplaced():
                self._seat(Camp.JUDGE, event.judge_id, position, backfilled=False)
            case DebateStarted():
                times = (event.fired_at, event.closes_at)
                self._rounds.setdefault(0, (self._id, 0, *times, position))
            case RoundOpened(round_no=number):
                times = (event.fired_at, event.closes_at)
                self._rounds.setdefault(number, (self._id, number, *times, position))
            case VerdictSubmitted():
                self._verdict = self._verdict or self._judged(event, position)
            case _:
                pass

    def _sign_up(self, event: SignedUp, position: int) -> None:
        camps = tuple(camp.value for camp in EVERY_CAMP if camp in event.willing_camps)
        earlier = self._signups.get(event.agent_id)
        place = earlier[3:5] if earlier else (event.signed_up_at, position)
        self._signups[event.agent_id] = (self._id, event.agent_id, camps, *place, position)

    def _allocate(self, event: CampsAllocated, position: int) -> None:
        for seat in event.camps:
            backfilled = seat.camp in event.backfilled
            self._seat(seat.camp, seat.agent_id, position, backfilled=backfilled)
        self._drawn(event.draw, position)
        seats = [{"camp": seat.camp.value, "agent_id": seat.agent_id} for seat in event.camps]
        self._draw["camps"] = canonical(seats)
        self._draw["backfilled"] = tuple(camp.value for camp in event.backfilled)

    def _seat(self, camp: Camp, agent_id: str, position: int, *, backfilled: bool) -> None:
        self._seats[camp] = (self._id, camp.value, agent_id, backfilled, position)

    def _drawn(self, evidence: DrawEvidence, position: int) -> None:
        self._draw |= {
            "algorithm": evidence.algorithm,
            "secret": evidence.secret,
            "seed": evidence.seed,
            "signups_hash": evidence.signups_hash,
            "position": position,
        }

    def _judged(self, event: VerdictSubmitted, position: int) -> Values:
        verdict = (canonical(event.verdict), event.rationale, event.token_cost)
        return (self._id, event.judge_id, *verdict, event.submitted_at, position)


def _change_topic(topic: Columns, event: TopicEvent) -> None:
    match event:
        case SignedUp() | DrawCommitted():
            return
        case TopicAmended():
            topic |= _terms(event.after)
        case VisibilitySet():
            topic["visibility"] = event.visibility.value
        case SignupOpened():
            topic["status"] = Stage.SIGNUP_OPEN.value
        case SignupClosed():
            topic["status"] = Stage.ALLOCATING.value
        case CampsAllocated():
            topic["status"] = Stage.SIGNUP_CLOSED.value
        case TopicCancelled():
            topic["status"], topic["cancelled_reason"] = Stage.CANCELLED.value, event.reason
        case DebateStarted():
            topic["status"], topic["round_no"] = Stage.DEBATING.value, 0
        case RoundOpened():
            topic["round_no"] = event.round_no
        case DebateEnded():
            topic["status"], topic["verdict_due_at"] = Stage.JUDGING.value, event.verdict_due_at
        case VerdictOverdue():
            topic["verdict_overdue"] = True
        case JudgeReplaced():
            topic["verdict_due_at"], topic["verdict_overdue"] = event.verdict_due_at, False
        case VerdictSubmitted():
            topic["status"] = Stage.COMPLETED.value
        case _:
            return
    if topic["status"] != Stage.DEBATING.value:
        topic["round_no"] = None


def _terms(terms: TopicTerms) -> Columns:
    schedule, announce_to = terms.schedule, terms.announce_to
    return {
        "title": terms.title,
        "summary": terms.summary,
        "signup_open_at": schedule.signup_open_at,
        "signup_close_at": schedule.signup_close_at,
        "debate_start_at": schedule.debate_start_at,
        "debate_end_at": schedule.debate_end_at,
        "verdict_due_at": schedule.verdict_deadline,
        "verdict_due_fixed": schedule.verdict_due_at is not None,
        "invited_agents": tuple(terms.invited_agents),
        "announce_guild_base_url": announce_to.guild_base_url if announce_to else None,
        "announce_channel_id": announce_to.channel_id if announce_to else None,
    }


_EVENTS = frozenset(get_args(TopicEvent))

PLAIN_DEBATES = PlainProjection(
    name="debates_v1",
    categories=frozenset({"topic"}),
    tables=DEBATE_TABLES,
    fold=_Topic,
    begins=frozenset({TopicCreated}),
    changes=_EVENTS - {TopicCreated},
)
