"""A Chronicle with everything in it: lives of topics, deliveries and keys, event by event."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked
from moot.contracts.artifact_examples import ARTIFACT_EVENTS, ARTIFACT_ID, POSTURE_EVENTS
from moot.contracts.catalogue import Event
from moot.contracts.debates import ADMIN
from moot.contracts.deliveries import (
    Announcement,
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryDue,
    DeliveryPostponed,
    DeliveryRequested,
    DeliveryRetried,
    FabricChannel,
    WebhookEndpoint,
)
from moot.contracts.delivery_examples import WEBHOOK_EVENTS
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.examples import OPERATION_EVENTS
from moot.contracts.ids import CommandId, EventId, KeyId, Position, TopicId, WebhookId, derived_id
from moot.contracts.publishing import (
    Grant,
    PublisherName,
    PublishingKeyIssued,
    PublishingKeyRevoked,
    publisher_stream_id,
)
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import (
    AmendTopic,
    EndDebate,
    FlagOverdue,
    OpenRound,
    PostArgument,
    ReplaceJudge,
    SetVisibility,
    SignUp,
    SubmitVerdict,
    WithdrawSignup,
)
from moot.contracts.webhooks import WEBHOOKS
from moot.domain.topic_stages import Judging
from moot.runtime.chronicle import Chronicle, Message
from tests.support.topics import (
    CREATOR,
    DEBATERS,
    NOON,
    SCHEDULE,
    TICKER,
    Given,
    allocating,
    cancelled,
    debating,
    proposed,
    with_signup_open,
    with_signups,
)

Written = tuple[StreamName, Event]
MINUTE = timedelta(minutes=1)


def envelope(stream: StreamName, event: Event, number: int) -> Envelope:
    """Return an envelope whose ids follow from the stream and the event's number in it."""
    command_id = CommandId(derived_id("command", stream.label, str(number)))
    return Envelope(
        id=EventId(derived_id("event", stream.label, str(number))),
        stream=stream,
        source="moot/tests",
        time=NOON,
        event=event,
        cause=Cause(
            command_id=command_id,
            command_hash="0" * 64,
            auth_id="service:tests",
            correlation_id=command_id,
            causation_id=command_id,
        ),
    )


class Recorder:
    """Appends events one by one, each to its stream."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._lasts: dict[StreamName, int] = {}
        self._counts: dict[StreamName, int] = {}

    async def add(self, written: Iterable[Written]) -> int:
        """Return the position of the last event."""
        position = 0
        for stream, event in written:
            number = self._counts[stream] = self._counts.get(stream, 0) + 1
            enveloped = envelope(stream, event, number)
            position = await self.add_bytes(stream, enveloped.id, enveloped.to_bytes())
        return position

    async def add_bytes(self, stream: StreamName, event_id: str, body: bytes) -> int:
        message = Message(event_id, body)
        last = self._lasts.get(stream, 0)
        self._lasts[stream] = await self._chronicle.append(stream, last, [message])
        return self._lasts[stream]


async def record(chronicle: Chronicle, written: Iterable[Written]) -> int:
    return await Recorder(chronicle).add(written)


def interleaved(streams: dict[StreamName, Sequence[Event]]) -> list[Written]:
    """Return the events of all streams in turn, each stream in its order."""
    longest = max(len(events) for events in streams.values())
    return [
        (stream, events[turn])
        for turn in range(longest)
        for stream, events in streams.items()
        if turn < len(events)
    ]


def everything() -> list[Written]:
    """Return events of every type there is, of several streams at once."""
    lives = {
        "argued": argued().history,
        "overdue": overdue().history,
        "amended": amended().history,
        "cancelled": cancelled(rounds=2).history,
        "short": allocating(DEBATERS[:2]).history,
    }
    streams: dict[StreamName, Sequence[Event]] = {
        StreamName("topic", topic_id(name)): history for name, history in lives.items()
    }
    streams[StreamName("delivery", derived_id("queue", "good"))] = delivered()
    streams[StreamName("delivery", derived_id("queue", "bad"))] = failed()
    streams[StreamName("delivery", derived_id("queue", "hook"))] = retried()
    streams[StreamName("delivery", WEBHOOKS)] = WEBHOOK_EVENTS
    streams[StreamName("access", "ann")] = keys("ann")
    streams[StreamName("access", "bob")] = keys("bob")[:2]
    streams[StreamName("access", publisher_stream_id(PublisherName("collector")))] = (
        publishing_keys()
    )
    streams[StreamName("artifact", ARTIFACT_ID)] = ARTIFACT_EVENTS
    streams[StreamName("posture", ARTIFACT_ID)] = POSTURE_EVENTS
    streams[StreamName("operation", "another_v1")] = OPERATION_EVENTS
    return interleaved(streams)


def topic_id(name: str) -> TopicId:
    return TopicId(derived_id("topic", name))


def argued() -> Given:
    """A debate of three rounds with arguments, up to its verdict."""
    given = debating(rounds=3)
    given = _said(given, SCHEDULE.debate_start_at)
    for round_no in (1, 2):
        opens_at = SCHEDULE.round_opens_at(round_no, 3)
        given = given.after(OpenRound(by=TICKER, round_no=round_no), opens_at)
        given = _said(given, opens_at)
    given = given.after(EndDebate(by=TICKER), SCHEDULE.debate_end_at)
    return _judged(given, SCHEDULE.debate_end_at + MINUTE)


def _said(given: Given, at: datetime) -> Given:
    for camp in ("pro", "con"):
        said = PostArgument(by=given.agent_in(camp), content=f"{camp} says ünïcode ✓ at {at}")
        given = given.after(said, at)
    return given


def _judged(given: Given, at: datetime) -> Given:
    verdict = {"winner": "pro", "scores": [1, 2.5, None], "why": {"b": 1, "a": "z"}}
    judge = given.agent_in("judge")
    command = SubmitVerdict(by=judge, verdict=verdict, rationale="Better.", token_cost=2**53 - 1)
    return given.after(command, at)


def overdue() -> Given:
    """A debate whose judge said nothing and was replaced."""
    given = debating().after(EndDebate(by=TICKER), SCHEDULE.debate_end_at)
    state = given.state
    assert isinstance(state, Judging)
    given = given.after(FlagOverdue(by=TICKER), state.verdict_due_at)
    seated = {given.agent_in(camp).id for camp in ("pro", "con", "judge")}
    spare = next(agent for agent in DEBATERS if agent.id not in seated)
    later = state.verdict_due_at + MINUTE
    given = given.after(ReplaceJudge.model_validate({"by": ADMIN, "agent_id": spare.id}), later)
    return _judged(given, later + MINUTE)


def amended() -> Given:
    """A private topic that was amended, made public, and left by who had signed up."""
    given = proposed(
        visibility="private",
        invited_agents=("ann",),
        announce_to={"guild_base_url": "https://guild.example", "channel_id": "c1"},
    )
    amend = AmendTopic.model_validate(
        {
            "by": CREATOR,
            "title": "Ban them all",
            "invited_agents": ("bob",),
            "verdict_due_at": SCHEDULE.debate_end_at + timedelta(days=1),
        }
    )
    given = given.after(amend, NOON + MINUTE)
    given = given.after(SetVisibility.model_validate({"by": ADMIN, "visibility": "public"}), NOON)
    opened = with_signup_open()
    given = Given((*given.history, *opened.history[1:]))
    given = with_signups(given)
    at = SCHEDULE.signup_open_at + 30 * MINUTE
    for agent in (DEBATERS[0], DEBATERS[1]):
        given = given.after(WithdrawSignup(by=agent), at)
    for agent in (DEBATERS[2], DEBATERS[0]):
        again = SignUp.model_validate({"by": agent, "willing_camps": ["judge"]})
        given = given.after(again, at + MINUTE)
    return given


def delivered() -> list[Event]:
    """A message that arrived at the second attempt, and one that is still open."""
    first, second = _requested("good", 1), _requested("good", 2)
    event_id = first.announcement.event_id
    return [
        first,
        second,
        DeliveryAttempted(
            event_id=event_id, attempt=_attempt(1, 503), next_attempt_at=NOON + 2 * MINUTE
        ),
        DeliveryDue(event_id=event_id, due_at=NOON + 2 * MINUTE, fired_at=NOON + 2 * MINUTE),
        AnnouncementDelivered(event_id=event_id, attempt=_attempt(2, 201)),
    ]


def failed() -> list[Event]:
    request = _requested("bad", 1)
    event_id = request.announcement.event_id
    attempt = _attempt(1, None, "ConnectError")
    return [
        request,
        AnnouncementFailed(event_id=event_id, attempt=attempt, reason="given up"),
    ]


def retried() -> list[Event]:
    """A message to a webhook that waited, was given up, and was sent once more by hand."""
    request = _requested("hook", 1).model_copy(
        update={"endpoint": WebhookEndpoint(webhook_id=WebhookId(derived_id("hook")))}
    )
    event_id = request.announcement.event_id
    later = NOON + 2 * MINUTE
    again = DeliveryRetried(
        event_id=event_id, reason="it is back", retried_by="x", retried_at=later
    )
    return [
        request,
        DeliveryPostponed(
            event_id=event_id, reason="busy", postponed_at=NOON, next_attempt_at=later
        ),
        DeliveryDue(event_id=event_id, due_at=later, fired_at=later),
        AnnouncementFailed(event_id=event_id, attempt=_attempt(1, 404), reason="not found"),
        again,
        AnnouncementFailed(event_id=event_id, attempt=_attempt(2, 404), reason="not found"),
        again,
        AnnouncementDelivered(event_id=event_id, attempt=_attempt(3, 201)),
    ]


def _requested(name: str, number: int) -> DeliveryRequested:
    return DeliveryRequested(
        endpoint=FabricChannel(guild_base_url="https://guild.example", channel_id=name),
        announcement=Announcement(
            event_id=EventId(derived_id("announced", name, str(number))),
            event_type="moot.topic.signup_opened.v1",
            topic_id=topic_id("argued"),
            position=Position(number),
            content="Sign-up is open",
            metadata={"topic": name},
        ),
        requested_at=NOON,
    )


def _attempt(number: int, status: int | None, error: str | None = None) -> Attempt:
    return Attempt(
        attempt=number,
        status=status,
        error=error,
        answer="",
        duration_ms=12,
        attempted_at=NOON + number * MINUTE,
    )


def keys(agent: str) -> list[Event]:
    """A key that was replaced, and the new one revoked."""
    first, second = (KeyId(f"{agent}{number}") for number in (1, 2))
    return [
        _issued(first, replaces=None),
        _issued(second, replaces=first),
        AgentKeyRevoked(
            key_id=second, reason="lost", revoked_by=ADMIN.auth_id, revoked_at=NOON + 2 * MINUTE
        ),
    ]


def _issued(key_id: KeyId, *, replaces: KeyId | None) -> AgentKeyIssued:
    return AgentKeyIssued(
        key_id=key_id,
        key_hash="ab" * 32,
        replaces=replaces,
        expires_at=NOON + timedelta(days=1),
        issued_by=ADMIN.auth_id,
        issued_at=NOON,
    )


def publishing_keys() -> list[Event]:
    """A publisher's key that was replaced with another grant, and the new one revoked."""
    name = PublisherName("collector")
    first, second = KeyId("collector1"), KeyId("collector2")
    issued = PublishingKeyIssued(
        publisher=name,
        grant=Grant(categories=("artifact", "posture")),
        key_id=first,
        key_hash="ab" * 32,
        replaces=None,
        expires_at=NOON + timedelta(days=1),
        issued_by=ADMIN.auth_id,
        issued_at=NOON,
    )
    narrower = Grant(categories=("posture",), types=("moot.posture.deployment_observed.v1",))
    replaced = issued.model_copy(update={"key_id": second, "replaces": first, "grant": narrower})
    revoked = PublishingKeyRevoked(
        publisher=name,
        key_id=second,
        reason="lost",
        revoked_by=ADMIN.auth_id,
        revoked_at=NOON + 2 * MINUTE,
    )
    return [issued, replaced, revoked]
