"""An example of every event and command: for documentation, other teams' tests, golden files."""

from datetime import UTC, datetime, timedelta

from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked, IssueAgentKey, RevokeAgentKey
from moot.contracts.catalogue import Command, Event
from moot.contracts.debates import (
    ADMIN,
    AnnounceTarget,
    Caller,
    Camp,
    CampSeat,
    Schedule,
    TopicTerms,
    Visibility,
)
from moot.contracts.deliveries import (
    Announcement,
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryDue,
    DeliveryRequested,
    Endpoint,
    MakeDeliveryDue,
    RecordAttempt,
    RequestDelivery,
)
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import AgentId, CommandId, EventId, KeyId, Position, TopicId
from moot.contracts.operations import (
    AcceptHole,
    DeadLetterRetried,
    DeadLetterSkipped,
    GenerationPromoted,
    HoleAccepted,
    KeyRebuilt,
    PauseProjection,
    ProjectionPaused,
    ProjectionResumed,
    PromoteGeneration,
    RebuildKey,
    ResumeProjection,
    RetryDeadLetter,
    SkipDeadLetter,
)
from moot.contracts.subjects import Category, StreamName
from moot.contracts.topic_commands import (
    AllocateCamps,
    AmendTopic,
    CancelTopic,
    CloseSignup,
    CommitDraw,
    EndDebate,
    FlagOverdue,
    OpenRound,
    OpenSignup,
    PostArgument,
    ProposeTopic,
    ReplaceJudge,
    SetVisibility,
    SignUp,
    StartDebate,
    SubmitVerdict,
    WithdrawSignup,
)
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
    VerdictOverdue,
    VerdictSubmitted,
    VisibilitySet,
)

_NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_ANN, _BOB, _CYD = AgentId("ann"), AgentId("bob"), AgentId("cyd")
_PROJECTION = "debates_v1"
_CREATOR = Caller.agent("ann")
_TICKER = Caller.service("ticker")
_ALLOCATOR = Caller.service("allocator")
_ANNOUNCER = Caller.service("announcer")
_TOPIC_ID = TopicId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6a")
_EVENT_ID = EventId("5d0b8f0c1e2a5b3c9d4e6f7a8b9c0d1e")
_SECRET, _SEED, _SIGNUPS, _COMMITMENT = "11" * 32, "22" * 32, "33" * 32, "44" * 32

SCHEDULE = Schedule(
    signup_open_at=_NOON + timedelta(hours=1),
    signup_close_at=_NOON + timedelta(hours=2),
    debate_start_at=_NOON + timedelta(hours=3),
    debate_end_at=_NOON + timedelta(hours=6),
)
_TERMS = TopicTerms(
    title="Ban plastic water bottles",
    summary="Should their sale be forbidden where tap water is safe?",
    schedule=SCHEDULE,
)
_AMENDED = TopicTerms(
    title="Ban plastic water bottles in cities",
    summary=_TERMS.summary,
    schedule=SCHEDULE.model_copy(update={"verdict_due_at": _NOON + timedelta(days=2)}),
    invited_agents=(_BOB,),
    announce_to=AnnounceTarget(guild_base_url="https://guild.example", channel_id="announcements"),
)
_DRAW = DrawEvidence(
    algorithm="moot-three-camps-1", secret=_SECRET, seed=_SEED, signups_hash=_SIGNUPS
)
_ENDPOINT = Endpoint(guild_base_url="https://guild.example", channel_id="announcements")
_ANNOUNCEMENT = Announcement(
    event_id=_EVENT_ID,
    event_type="moot.topic.signup_opened.v1",
    topic_id=_TOPIC_ID,
    position=Position(42),
    content="**Ban plastic water bottles**\nSign-up is open.",
    metadata={"topic_id": _TOPIC_ID},
)


def _attempt(number: int, status: int | None, error: str | None, answer: str) -> Attempt:
    return Attempt(
        attempt=number,
        status=status,
        error=error,
        answer=answer,
        duration_ms=12,
        attempted_at=_NOON,
    )


TOPIC_EVENTS: tuple[Event, ...] = (
    TopicCreated(
        creator="agent:ann",
        terms=_TERMS,
        rounds=3,
        verdict_schema_id="binary",
        visibility=Visibility.PUBLIC,
        created_at=_NOON,
    ),
    TopicAmended(before=_TERMS, after=_AMENDED, amended_at=_NOON),
    VisibilitySet(visibility=Visibility.PRIVATE, set_by="admin:key", set_at=_NOON),
    SignupOpened(due_at=_NOON, fired_at=_NOON + timedelta(milliseconds=3)),
    DrawCommitted(
        commitment=_COMMITMENT,
        algorithm="moot-three-camps-1",
        signups_before=0,
        committed_at=_NOON,
    ),
    SignedUp(agent_id=_ANN, willing_camps=(Camp.PRO, Camp.JUDGE), signed_up_at=_NOON),
    SignupWithdrawn(agent_id=_ANN, withdrawn_at=_NOON),
    SignupClosed(due_at=_NOON, fired_at=_NOON + timedelta(milliseconds=3)),
    CampsAllocated(
        camps=(
            CampSeat(camp=Camp.PRO, agent_id=_ANN),
            CampSeat(camp=Camp.CON, agent_id=_BOB),
            CampSeat(camp=Camp.JUDGE, agent_id=_CYD),
        ),
        backfilled=(Camp.JUDGE,),
        draw=_DRAW,
        allocated_at=_NOON,
    ),
    TopicCancelled(
        reason="insufficient signups: 0 of 3 camps could be filled",
        cancelled_by="service:allocator",
        draw=_DRAW,
        cancelled_at=_NOON,
    ),
    DebateStarted(closes_at=_NOON + timedelta(hours=1), due_at=_NOON, fired_at=_NOON),
    RoundOpened(round_no=1, closes_at=_NOON + timedelta(hours=2), due_at=_NOON, fired_at=_NOON),
    ArgumentPosted(
        agent_id=_ANN,
        camp=Camp.PRO,
        round_no=0,
        content="Bottled water is a dry well.",
        posted_at=_NOON,
    ),
    DebateEnded(verdict_due_at=_NOON + timedelta(days=7), due_at=_NOON, fired_at=_NOON),
    VerdictSubmitted(
        judge_id=_CYD,
        verdict={"winner": "pro", "confidence": 0.8},
        rationale="Pro answered every fact that con brought.",
        token_cost=1200,
        submitted_at=_NOON,
    ),
    VerdictOverdue(due_at=_NOON, fired_at=_NOON),
    JudgeReplaced(
        previous_judge_id=_CYD,
        judge_id=AgentId("dee"),
        verdict_due_at=_NOON + timedelta(days=7),
        replaced_by="admin:key",
        replaced_at=_NOON,
    ),
)

DELIVERY_EVENTS: tuple[Event, ...] = (
    DeliveryRequested(endpoint=_ENDPOINT, announcement=_ANNOUNCEMENT, requested_at=_NOON),
    DeliveryAttempted(
        event_id=_EVENT_ID,
        attempt=_attempt(1, 503, None, "come back later"),
        next_attempt_at=_NOON + timedelta(seconds=2),
    ),
    DeliveryDue(event_id=_EVENT_ID, due_at=_NOON, fired_at=_NOON),
    AnnouncementDelivered(
        event_id=_EVENT_ID, attempt=_attempt(2, 200, None, '{"messageId":"m1","seq":1}')
    ),
    AnnouncementFailed(
        event_id=_EVENT_ID, attempt=_attempt(1, 404, None, ""), reason="refused with 404"
    ),
)

ACCESS_EVENTS: tuple[Event, ...] = (
    AgentKeyIssued(
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        key_hash="55" * 32,
        replaces=None,
        expires_at=None,
        issued_by="admin:key",
        issued_at=_NOON,
    ),
    AgentKeyRevoked(
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        reason="lost",
        revoked_by="admin:key",
        revoked_at=_NOON,
    ),
)

OPERATION_EVENTS: tuple[Event, ...] = (
    ProjectionPaused(
        projection=_PROJECTION, reason="looking into it", paused_by="admin:eve", paused_at=_NOON
    ),
    ProjectionResumed(projection=_PROJECTION, reason="", resumed_by="admin:eve", resumed_at=_NOON),
    DeadLetterRetried(
        projection=_PROJECTION,
        key=f"topic/{_TOPIC_ID}",
        position=Position(7),
        reason="the new version is out",
        retried_by="admin:eve",
        retried_at=_NOON,
    ),
    DeadLetterSkipped(
        projection=_PROJECTION,
        key=f"topic/{_TOPIC_ID}",
        position=Position(7),
        reason="written by hand, by mistake",
        skipped_by="admin:eve",
        skipped_at=_NOON,
    ),
    KeyRebuilt(
        projection=_PROJECTION,
        key=f"topic/{_TOPIC_ID}",
        reason="rows were changed by hand",
        rebuilt_by="admin:eve",
        rebuilt_at=_NOON,
    ),
    GenerationPromoted(
        projection=_PROJECTION,
        generation=2,
        reason="built anew for the new column",
        promoted_by="admin:eve",
        promoted_at=_NOON,
    ),
    HoleAccepted(
        projection=_PROJECTION,
        after=41,
        before=Position(44),
        reason="two trial events, deleted before we went live",
        accepted_by="admin:eve",
        accepted_at=_NOON,
    ),
)

EVENTS: dict[Category, tuple[Event, ...]] = {
    "topic": TOPIC_EVENTS,
    "delivery": DELIVERY_EVENTS,
    "access": ACCESS_EVENTS,
    "operation": OPERATION_EVENTS,
}

COMMANDS: tuple[Command, ...] = (
    ProposeTopic(
        by=_CREATOR,
        title=_TERMS.title,
        summary=_TERMS.summary,
        schedule=SCHEDULE,
        rounds=3,
        verdict_schema_id="binary",
    ),
    AmendTopic(by=_CREATOR, title=_AMENDED.title),
    SetVisibility(by=ADMIN, visibility=Visibility.PRIVATE),
    CancelTopic(by=ADMIN, reason="asked twice"),
    ReplaceJudge(by=ADMIN, agent_id=AgentId("dee")),
    SignUp(by=_CREATOR, willing_camps=(Camp.PRO, Camp.JUDGE)),
    WithdrawSignup(by=_CREATOR),
    PostArgument(by=_CREATOR, content="Bottled water is a dry well."),
    SubmitVerdict(
        by=Caller.agent("cyd"),
        verdict={"winner": "pro", "confidence": 0.8},
        rationale="Pro answered every fact that con brought.",
        token_cost=1200,
    ),
    CommitDraw(by=_ALLOCATOR, commitment=_COMMITMENT),
    AllocateCamps(by=_ALLOCATOR, secret=_SECRET),
    OpenSignup(by=_TICKER),
    CloseSignup(by=_TICKER),
    StartDebate(by=_TICKER),
    OpenRound(by=_TICKER, round_no=1),
    EndDebate(by=_TICKER),
    FlagOverdue(by=_TICKER),
    RequestDelivery(by=_ANNOUNCER, endpoint=_ENDPOINT, announcement=_ANNOUNCEMENT),
    RecordAttempt(
        by=_ANNOUNCER,
        event_id=_EVENT_ID,
        attempt=_attempt(1, 503, None, "come back later"),
        retry_after_s=2,
        luck=0.5,
    ),
    MakeDeliveryDue(by=_TICKER, event_id=_EVENT_ID),
    IssueAgentKey(by=ADMIN, key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"), key_hash="55" * 32),
    RevokeAgentKey(by=ADMIN, reason="lost"),
    PauseProjection(by=ADMIN, projection=_PROJECTION, reason="looking into it"),
    ResumeProjection(by=ADMIN, projection=_PROJECTION),
    RetryDeadLetter(
        by=ADMIN, projection=_PROJECTION, key=f"topic/{_TOPIC_ID}", position=Position(7)
    ),
    SkipDeadLetter(
        by=ADMIN,
        projection=_PROJECTION,
        key=f"topic/{_TOPIC_ID}",
        position=Position(7),
        reason="written by hand, by mistake",
        operations_seen=2,
    ),
    RebuildKey(by=ADMIN, projection=_PROJECTION, key=f"topic/{_TOPIC_ID}"),
    PromoteGeneration(by=ADMIN, projection=_PROJECTION, generation=2),
    AcceptHole(
        by=ADMIN,
        projection=_PROJECTION,
        after=41,
        before=Position(44),
        reason="two trial events, deleted before we went live",
    ),
)


def in_envelope(category: Category, event: Event) -> Envelope:
    """Return `event` as the Chronicle would hold it, in a stream of its category."""
    stream_id = {"access": _BOB, "operation": _PROJECTION}.get(category, _TOPIC_ID)
    return Envelope(
        id=_EVENT_ID,
        stream=StreamName(category, stream_id),
        source="moot/example",
        time=_NOON,
        event=event,
        cause=Cause(
            command_id=CommandId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6c"),
            command_hash="66" * 32,
            auth_id="agent:ann",
            correlation_id="0197a3c46f0a7d3e8b5c2f1e9d8c7b6c",
            causation_id="0197a3c46f0a7d3e8b5c2f1e9d8c7b6c",
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    )
