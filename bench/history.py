"""Debates as they are held, in the order in which they'd be stored: many at once, mixed.

Every life is decided by the domain's own deciders; a few dozen of them are worn by many topics.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from moot.contracts.access import AgentKeyIssued
from moot.contracts.catalogue import Event
from moot.contracts.debates import CAMPS, Caller, Camp, Schedule
from moot.contracts.deliveries import (
    Announcement,
    AnnouncementDelivered,
    Attempt,
    DeliveryAttempted,
    DeliveryDue,
    DeliveryRequested,
    FabricChannel,
)
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import CommandId, EventId, KeyId, Position, TopicId, derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import (
    AllocateCamps,
    CloseSignup,
    CommitDraw,
    EndDebate,
    OpenRound,
    OpenSignup,
    PostArgument,
    ProposeTopic,
    SignUp,
    StartDebate,
    SubmitVerdict,
    TopicCommand,
)
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateEnded,
    SignupClosed,
    SignupOpened,
    TopicEvent,
    VerdictSubmitted,
)
from moot.domain import topic
from moot.domain.draw import commitment, draw_secret
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Seated, TopicState

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCHEDULE = Schedule(
    signup_open_at=NOON + HOUR,
    signup_close_at=NOON + 2 * HOUR,
    debate_start_at=NOON + 3 * HOUR,
    debate_end_at=NOON + 6 * HOUR,
)
TICKER = Caller.service("ticker")
ALLOCATOR = Caller.service("allocator")
SECRET = draw_secret(b"bench", "0" * 32)
LIVES = 48
DEBATES_AT_ONCE = 200
AGENTS = 500
RETRIED = 0.1
"""The share of announcements that arrive at the second attempt."""

ANNOUNCED = (SignupOpened, SignupClosed, CampsAllocated, DebateEnded, VerdictSubmitted)
SENTENCE = (
    "because the evidence shows that a city which taxes single use pays less for its rivers "
    "while those who oppose it name costs borne by shops and families without a tap nearby"
)

Written = tuple[StreamName, EventId, bytes]
"""A stream of events, the event's id, its document."""


def written(events: int, seed: int = 1) -> Iterator[Written]:
    """Yield `events` documents: the same for the same `seed`, each stream in its order."""
    luck = random.Random(seed)  # noqa: S311 the same history every time
    lives = [_life(luck) for _ in range(LIVES)]
    names = count()
    debates = [_debate(lives, luck, next(names)) for _ in range(DEBATES_AT_ONCE)]
    numbers: dict[StreamName, int] = {}
    for _ in range(events):
        turn = luck.randrange(DEBATES_AT_ONCE)
        step = next(debates[turn], None)
        while step is None:
            debates[turn] = _debate(lives, luck, next(names))
            step = next(debates[turn], None)
        stream, event = step
        numbers[stream] = number = numbers.get(stream, 0) + 1
        yield document(stream, event, number)


def topic_of(number: int) -> TopicId:
    """Return which topic the debate of that number is about, from 0, as they begin."""
    return TopicId(derived_id("bench-topic", str(number)))


def document(stream: StreamName, event: Event, number: int) -> Written:
    """Return the stream's event of that number as it is stored."""
    event_id = EventId(derived_id("bench", stream.label, str(number)))
    envelope = Envelope(
        id=event_id,
        stream=stream,
        source="moot/bench",
        time=NOON,
        event=event,
        cause=Cause(
            command_id=CommandId(event_id),
            command_hash=event_id * 2,
            auth_id="agent:agent-1",
            correlation_id=event_id,
            causation_id=event_id,
            traceparent=f"00-{event_id}-{event_id[:16]}-01",
        ),
    )
    return stream, event_id, envelope.to_bytes()


def _debate(
    lives: Sequence[Sequence[TopicEvent]], luck: random.Random, number: int
) -> Iterator[tuple[StreamName, Event]]:
    """Yield one topic's events, and between them those of what they led to."""
    topic_id = topic_of(number)
    stream = StreamName("topic", topic_id)
    queue = StreamName("delivery", derived_id("bench-queue", topic_id))
    if number < AGENTS:
        yield StreamName("access", f"agent-{number}"), _key(number)
    for position, event in enumerate(luck.choice(lives), start=1):
        yield stream, event
        if isinstance(event, ANNOUNCED):
            for told in _announced(topic_id, event, position, retried=luck.random() < RETRIED):
                yield queue, told


def _key(number: int) -> AgentKeyIssued:
    return AgentKeyIssued(
        key_id=KeyId(derived_id("bench-key", str(number))),
        key_hash="5" * 64,
        replaces=None,
        expires_at=None,
        issued_by="admin:key",
        issued_at=NOON,
    )


def _announced(
    topic_id: TopicId, event: TopicEvent, position: int, *, retried: bool
) -> Iterator[Event]:
    event_id = EventId(derived_id("bench", f"topic/{topic_id}", str(position)))
    yield DeliveryRequested(
        endpoint=FabricChannel(guild_base_url="https://guild.example", channel_id="announcements"),
        announcement=Announcement(
            event_id=event_id,
            event_type=event.type,
            topic_id=topic_id,
            position=Position(position),
            content=f"**Ban plastic bottles**\n{_text(random.Random(position), 20)}",  # noqa: S311
            metadata={"topic_id": topic_id},
        ),
        requested_at=NOON,
    )
    if retried:
        at = NOON + timedelta(seconds=2)
        yield DeliveryAttempted(event_id=event_id, attempt=_attempt(1, 503), next_attempt_at=at)
        yield DeliveryDue(event_id=event_id, due_at=at, fired_at=at)
    yield AnnouncementDelivered(event_id=event_id, attempt=_attempt(1 + retried, 200))


def _attempt(number: int, status: int) -> Attempt:
    return Attempt(
        attempt=number, status=status, error=None, answer="{}", duration_ms=12, attempted_at=NOON
    )


def _text(luck: random.Random, words: int) -> str:
    return " ".join(luck.choices(SENTENCE.split(), k=words))


@dataclass
class Life:
    """A topic as its decider lets it become."""

    state: TopicState = topic.initial
    events: list[TopicEvent] = field(default_factory=list[TopicEvent])

    def do(self, command: TopicCommand, at: datetime) -> None:
        decided = topic.decide(self.state, command, at)
        if isinstance(decided, Refused):
            raise AssertionError(decided)  # noqa: TRY004 it is no matter of its type
        for event in decided:
            self.state = topic.evolve(self.state, event)
            self.events.append(event)

    def seated(self, camp: Camp) -> Caller:
        if not isinstance(self.state, Seated):
            raise TypeError(self.state)
        return Caller.agent(next(s.agent_id for s in self.state.camps if s.camp is camp))


def _life(luck: random.Random) -> list[TopicEvent]:
    """Decide a debate of one to four rounds among four to ten agents, up to its verdict."""
    life = Life()
    rounds = luck.randint(1, 4)
    life.do(
        ProposeTopic(
            by=Caller.agent("agent-1"),
            title=f"Ban plastic bottles {luck.randrange(1000)}",
            summary=_text(luck, 40),
            schedule=SCHEDULE,
            rounds=rounds,
        ),
        NOON,
    )
    life.do(OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
    life.do(CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET)), SCHEDULE.signup_open_at)
    for agent in luck.sample(range(AGENTS), luck.randint(4, 10)):
        willing = tuple(luck.sample(CAMPS, luck.randint(1, 3)))
        caller = Caller.agent(f"agent-{agent}")
        life.do(SignUp(by=caller, willing_camps=willing), SCHEDULE.signup_open_at)
    life.do(CloseSignup(by=TICKER), SCHEDULE.signup_close_at)
    life.do(AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()), SCHEDULE.signup_close_at)
    life.do(StartDebate(by=TICKER), SCHEDULE.debate_start_at)
    for round_no in range(rounds):
        opens_at = SCHEDULE.round_opens_at(round_no, rounds)
        if round_no:
            life.do(OpenRound(by=TICKER, round_no=round_no), opens_at)
        for camp in (Camp.PRO, Camp.CON) * luck.randint(1, 2):
            content = _text(luck, luck.randint(30, 180))
            life.do(PostArgument(by=life.seated(camp), content=content), opens_at)
    life.do(EndDebate(by=TICKER), SCHEDULE.debate_end_at)
    judge, verdict = life.seated(Camp.JUDGE), {"winner": "pro", "confidence": 0.8}
    rationale = _text(luck, 120)
    life.do(
        SubmitVerdict(by=judge, verdict=verdict, rationale=rationale, token_cost=1200),
        SCHEDULE.debate_end_at + HOUR,
    )
    return life.events
