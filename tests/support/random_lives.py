"""Lives as chance has them: whatever the deciders accept, in whatever order it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from moot.contracts.access import IssueAgentKey, RevokeAgentKey
from moot.contracts.catalogue import Event
from moot.contracts.debates import ADMIN, CAMPS
from moot.contracts.deliveries import (
    Announcement,
    Attempt,
    FabricChannel,
    MakeDeliveryDue,
    PostponeDelivery,
    RecordAttempt,
    RequestDelivery,
    RetryDelivery,
)
from moot.contracts.ids import EventId, KeyId, Position, TopicId, derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import (
    AllocateCamps,
    AmendTopic,
    CancelTopic,
    CommitDraw,
    PostArgument,
    ReplaceJudge,
    SetVisibility,
    SignUp,
    SubmitVerdict,
    TopicCommand,
    WithdrawSignup,
)
from moot.domain import agent_keys, delivery, topic
from moot.domain.deadlines import deadline_command, next_deadline
from moot.domain.draw import commitment
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Born, timetable_of
from tests.support.recording import Written
from tests.support.topics import ALLOCATOR, CREATOR, DEBATERS, NOON, SCHEDULE, SECRET, TICKER
from tests.support.topics import proposed as proposed_topic

TEXTS = ("", "Because.", "ünïcode ✓", "'; DROP TABLE topics; --", "a\nb\\c\"d{}'", "x" * 3000)
NUMBERS = (0, -0.0, 1.0, 0.1, 1e308, -5e-324, 2**70, -1.5)
SERVICE = TICKER


@dataclass
class Life:
    """One stream's events so far, and the time in it."""

    decider: Any
    state: Any
    now: datetime = NOON
    events: list[Event] = field(default_factory=list[Event])

    def ask(self, command: Any) -> None:  # noqa: ANN401 whichever the decider takes
        decided: list[Event] | Refused = self.decider.decide(self.state, command, self.now)
        if isinstance(decided, Refused):
            return
        for event in decided:
            self.state = self.decider.evolve(self.state, event)
            self.events.append(event)


def random_topic(luck: Random, steps: int = 40) -> Sequence[Event]:
    """Return a topic's life, which goes on towards a verdict and is disturbed on its way."""
    given = proposed_topic(
        rounds=luck.randint(1, 4),
        visibility=luck.choice(["public", "private"]),
        invited_agents=[agent.id for agent in luck.sample(DEBATERS, 2)],
        summary=luck.choice(TEXTS),
    )
    life = Life(topic, given.state, events=list(given.history))
    for _ in range(steps):
        state: Born = life.state
        deadline = next_deadline(timetable_of(state))
        if luck.random() < 0.2 and deadline is not None:
            life.now = max(life.now, deadline.due_at)
            life.ask(deadline_command(deadline, TICKER))
            life.ask(CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET)))
        else:
            life.ask(_whim(luck))
    return life.events


def _whim(luck: Random) -> TopicCommand:
    agent = luck.choice((CREATOR, *DEBATERS))
    willing = luck.sample(CAMPS, luck.randint(1, 3))
    hours = timedelta(hours=luck.randint(1, 48))
    text, verdict = luck.choice(TEXTS), _document(luck)
    command: Any = luck.choices(
        [
            lambda: SignUp.model_validate({"by": agent, "willing_camps": willing}),
            lambda: WithdrawSignup(by=agent),
            lambda: AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()),
            lambda: PostArgument(by=agent, content=text or "."),
            lambda: SubmitVerdict(by=agent, verdict=verdict, rationale=text or "."),
            lambda: ReplaceJudge.model_validate({"by": ADMIN, "agent_id": agent.id}),
            lambda: AmendTopic.model_validate(
                {"by": CREATOR, "verdict_due_at": SCHEDULE.debate_end_at + hours}
            ),
            lambda: AmendTopic(by=CREATOR, title=text or "Ban them"),
            lambda: SetVisibility.model_validate(
                {"by": ADMIN, "visibility": luck.choice(["public", "private"])}
            ),
            lambda: CancelTopic(by=ADMIN, reason=text or "spam"),
        ],
        weights=[8, 2, 6, 8, 2, 1, 1, 1, 1, 0.2],
    )[0]
    return command()


def _document(luck: Random) -> dict[str, Any]:
    """Return JSON that is written in more than one way."""
    values = [*NUMBERS, *TEXTS, None, True]
    return {
        name: luck.choice([luck.choice(values), luck.sample(values, 3), {"ü": luck.choice(values)}])
        for name in luck.sample(["b", "a", "ö", "c\\", ""], 3)
    }


def random_queue(luck: Random, name: str) -> Sequence[Event]:
    """Return the life of a delivery queue whose receiver is moody."""
    life = Life(delivery, delivery.initial)
    endpoint = FabricChannel(guild_base_url="https://guild.example", channel_id=name)
    for number in range(luck.randint(1, 8)):
        told = Announcement(
            event_id=EventId(derived_id("told", name, str(number))),
            event_type="moot.topic.signup_opened.v1",
            topic_id=TopicId(derived_id("told-topic", name)),
            position=Position(number + 1),
            content=luck.choice(TEXTS),
            metadata={},
        )
        life.ask(RequestDelivery(by=SERVICE, endpoint=endpoint, announcement=told))
        for _ in range(luck.randint(0, 4)):
            _try_oldest(luck, life)
        for event_id in luck.sample(list(life.state.failed), min(len(life.state.failed), 1)):
            life.ask(RetryDelivery(by=ADMIN, event_id=event_id, reason="it is back"))
    return life.events


def _try_oldest(luck: Random, life: Life) -> None:
    oldest = life.state.oldest
    if oldest is None:
        return
    life.now = max(life.now, oldest.waits_until or life.now) + timedelta(seconds=luck.randint(0, 9))
    event_id = oldest.announcement.event_id
    life.ask(MakeDeliveryDue(by=SERVICE, event_id=event_id))
    if luck.random() < 0.2:
        delay = timedelta(seconds=luck.randint(1, 9))
        life.ask(PostponeDelivery(by=SERVICE, event_id=event_id, reason="busy", delay=delay))
        return
    attempt = Attempt(
        attempt=oldest.attempts + 1,
        status=luck.choice([200, 503, 404, None]),
        error=luck.choice([None, "ReadTimeout"]),
        answer="",
        duration_ms=luck.randint(1, 99),
        attempted_at=life.now,
    )
    life.ask(RecordAttempt(by=SERVICE, event_id=event_id, attempt=attempt, luck=luck.random()))


def random_keys(luck: Random, agent: str) -> Sequence[Event]:
    """Return the life of an agent's key."""
    life = Life(agent_keys, agent_keys.initial)
    for number in range(luck.randint(1, 5)):
        life.now += timedelta(minutes=1)
        if luck.random() < 0.3:
            life.ask(RevokeAgentKey(by=ADMIN, reason="lost"))
        key = KeyId(f"{agent}{number}")
        expires_at = luck.choice([None, life.now + timedelta(days=1)])
        life.ask(
            IssueAgentKey(
                by=ADMIN, key_id=key, key_hash="ab" * 32, expires_at=expires_at, force=True
            )
        )
    return life.events


def random_history(luck: Random) -> list[Written]:
    """Return several lives at once, mixed."""
    lives: dict[StreamName, list[Event]] = {}
    for number in range(luck.randint(1, 4)):
        name = str(number)
        topic_stream = StreamName("topic", derived_id("random-topic", name))
        lives[topic_stream] = list(random_topic(luck))
        lives[StreamName("delivery", derived_id("random-queue", name))] = list(
            random_queue(luck, name)
        )
        lives[StreamName("access", f"agent-{name}")] = list(random_keys(luck, f"agent-{name}"))
    written: list[Written] = []
    while lives:
        stream = luck.choice(list(lives))
        if lives[stream]:
            written.append((stream, lives[stream].pop(0)))
        else:
            del lives[stream]
    return written
