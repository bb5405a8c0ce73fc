"""An example of every event and command: for documentation, other teams' tests, golden files."""

from datetime import timedelta

from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked, IssueAgentKey, RevokeAgentKey
from moot.contracts.artifact_examples import ARTIFACT_EVENTS, ARTIFACT_ID, POSTURE_EVENTS
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
from moot.contracts.delivery_examples import (
    DELIVERY_COMMANDS,
    DELIVERY_EVENTS,
    EVENT_ID,
    NOON,
    TOPIC_ID,
    WEBHOOK_EVENTS,
)
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import (
    AgentId,
    CommandId,
    KeyId,
    Position,
)
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
from moot.contracts.publishing import (
    Grant,
    IssuePublishingKey,
    PublisherName,
    PublishingKeyIssued,
    PublishingKeyRevoked,
    RevokePublishingKey,
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
from moot.contracts.verdict_schemas import RegisterVerdictSchema, VerdictSchemaRegistered

_ANN, _BOB, _CYD = AgentId("ann"), AgentId("bob"), AgentId("cyd")
_PROJECTION = "debates_v1"
_PUBLISHER = PublisherName("collector")
_GRANT = Grant(categories=("artifact", "posture"))
_CREATOR = Caller.agent("ann")
_TICKER = Caller.service("ticker")
_ALLOCATOR = Caller.service("allocator")
_GRANT_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"euros": {"type": "integer", "minimum": 0}},
    "required": ["euros"],
}
_SECRET, _SEED, _SIGNUPS, _COMMITMENT = "11" * 32, "22" * 32, "33" * 32, "44" * 32

SCHEDULE = Schedule(
    signup_open_at=NOON + timedelta(hours=1),
    signup_close_at=NOON + timedelta(hours=2),
    debate_start_at=NOON + timedelta(hours=3),
    debate_end_at=NOON + timedelta(hours=6),
)
_TERMS = TopicTerms(
    title="Ban plastic water bottles",
    summary="Should their sale be forbidden where tap water is safe?",
    schedule=SCHEDULE,
)
_AMENDED = TopicTerms(
    title="Ban plastic water bottles in cities",
    summary=_TERMS.summary,
    schedule=SCHEDULE.model_copy(update={"verdict_due_at": NOON + timedelta(days=2)}),
    invited_agents=(_BOB,),
    announce_to=AnnounceTarget(guild_base_url="https://guild.example", channel_id="announcements"),
)
_DRAW = DrawEvidence(
    algorithm="moot-three-camps-1", secret=_SECRET, seed=_SEED, signups_hash=_SIGNUPS
)
TOPIC_EVENTS: tuple[Event, ...] = (
    TopicCreated(
        creator="agent:ann",
        terms=_TERMS,
        rounds=3,
        verdict_schema_id="binary",
        visibility=Visibility.PUBLIC,
        created_at=NOON,
    ),
    TopicAmended(before=_TERMS, after=_AMENDED, amended_at=NOON),
    VisibilitySet(visibility=Visibility.PRIVATE, set_by="admin:key", set_at=NOON),
    SignupOpened(due_at=NOON, fired_at=NOON + timedelta(milliseconds=3)),
    DrawCommitted(
        commitment=_COMMITMENT,
        algorithm="moot-three-camps-1",
        signups_before=0,
        committed_at=NOON,
    ),
    SignedUp(agent_id=_ANN, willing_camps=(Camp.PRO, Camp.JUDGE), signed_up_at=NOON),
    SignupWithdrawn(agent_id=_ANN, withdrawn_at=NOON),
    SignupClosed(due_at=NOON, fired_at=NOON + timedelta(milliseconds=3)),
    CampsAllocated(
        camps=(
            CampSeat(camp=Camp.PRO, agent_id=_ANN),
            CampSeat(camp=Camp.CON, agent_id=_BOB),
            CampSeat(camp=Camp.JUDGE, agent_id=_CYD),
        ),
        backfilled=(Camp.JUDGE,),
        draw=_DRAW,
        allocated_at=NOON,
    ),
    TopicCancelled(
        reason="insufficient signups: 0 of 3 camps could be filled",
        cancelled_by="service:allocator",
        draw=_DRAW,
        cancelled_at=NOON,
    ),
    DebateStarted(closes_at=NOON + timedelta(hours=1), due_at=NOON, fired_at=NOON),
    RoundOpened(round_no=1, closes_at=NOON + timedelta(hours=2), due_at=NOON, fired_at=NOON),
    ArgumentPosted(
        agent_id=_ANN,
        camp=Camp.PRO,
        round_no=0,
        content="Bottled water is a dry well.",
        posted_at=NOON,
    ),
    DebateEnded(verdict_due_at=NOON + timedelta(days=7), due_at=NOON, fired_at=NOON),
    VerdictSubmitted(
        judge_id=_CYD,
        verdict={"winner": "pro", "confidence": 0.8},
        rationale="Pro answered every fact that con brought.",
        token_cost=1200,
        submitted_at=NOON,
    ),
    VerdictOverdue(due_at=NOON, fired_at=NOON),
    JudgeReplaced(
        previous_judge_id=_CYD,
        judge_id=AgentId("dee"),
        verdict_due_at=NOON + timedelta(days=7),
        replaced_by="admin:key",
        replaced_at=NOON,
    ),
)

ACCESS_EVENTS: tuple[Event, ...] = (
    AgentKeyIssued(
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        key_hash="55" * 32,
        replaces=None,
        expires_at=None,
        issued_by="admin:key",
        issued_at=NOON,
    ),
    AgentKeyRevoked(
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        reason="lost",
        revoked_by="admin:key",
        revoked_at=NOON,
    ),
    PublishingKeyIssued(
        publisher=_PUBLISHER,
        grant=_GRANT,
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        key_hash="55" * 32,
        replaces=None,
        expires_at=None,
        issued_by="admin:key",
        issued_at=NOON,
    ),
    PublishingKeyRevoked(
        publisher=_PUBLISHER,
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        reason="lost",
        revoked_by="admin:key",
        revoked_at=NOON,
    ),
)

OPERATION_EVENTS: tuple[Event, ...] = (
    ProjectionPaused(
        projection=_PROJECTION, reason="looking into it", paused_by="admin:eve", paused_at=NOON
    ),
    ProjectionResumed(projection=_PROJECTION, reason="", resumed_by="admin:eve", resumed_at=NOON),
    DeadLetterRetried(
        projection=_PROJECTION,
        key=f"topic/{TOPIC_ID}",
        position=Position(7),
        reason="the new version is out",
        retried_by="admin:eve",
        retried_at=NOON,
    ),
    DeadLetterSkipped(
        projection=_PROJECTION,
        key=f"topic/{TOPIC_ID}",
        position=Position(7),
        reason="written by hand, by mistake",
        skipped_by="admin:eve",
        skipped_at=NOON,
    ),
    KeyRebuilt(
        projection=_PROJECTION,
        key=f"topic/{TOPIC_ID}",
        reason="rows were changed by hand",
        rebuilt_by="admin:eve",
        rebuilt_at=NOON,
    ),
    GenerationPromoted(
        projection=_PROJECTION,
        generation=2,
        reason="built anew for the new column",
        promoted_by="admin:eve",
        promoted_at=NOON,
    ),
    HoleAccepted(
        projection=_PROJECTION,
        after=41,
        before=Position(44),
        reason="two trial events, deleted before we went live",
        accepted_by="admin:eve",
        accepted_at=NOON,
    ),
    VerdictSchemaRegistered(
        schema_id="grant",
        title="A sum is granted, or nothing",
        json_schema=_GRANT_SCHEMA,
        reason="the spring call",
        registered_by="admin:eve",
        registered_at=NOON,
    ),
)

EVENTS: dict[Category, tuple[Event, ...]] = {
    "topic": TOPIC_EVENTS,
    "artifact": ARTIFACT_EVENTS,
    "posture": POSTURE_EVENTS,
    "delivery": (*DELIVERY_EVENTS, *WEBHOOK_EVENTS),
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
    *DELIVERY_COMMANDS,
    IssueAgentKey(by=ADMIN, key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"), key_hash="55" * 32),
    RevokeAgentKey(by=ADMIN, reason="lost"),
    IssuePublishingKey(
        by=ADMIN,
        publisher=_PUBLISHER,
        grant=_GRANT,
        key_id=KeyId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6b"),
        key_hash="55" * 32,
    ),
    RevokePublishingKey(by=ADMIN, publisher=_PUBLISHER, reason="lost"),
    PauseProjection(by=ADMIN, projection=_PROJECTION, reason="looking into it"),
    ResumeProjection(by=ADMIN, projection=_PROJECTION),
    RetryDeadLetter(
        by=ADMIN, projection=_PROJECTION, key=f"topic/{TOPIC_ID}", position=Position(7)
    ),
    SkipDeadLetter(
        by=ADMIN,
        projection=_PROJECTION,
        key=f"topic/{TOPIC_ID}",
        position=Position(7),
        reason="written by hand, by mistake",
        operations_seen=2,
    ),
    RebuildKey(by=ADMIN, projection=_PROJECTION, key=f"topic/{TOPIC_ID}"),
    PromoteGeneration(by=ADMIN, projection=_PROJECTION, generation=2),
    AcceptHole(
        by=ADMIN,
        projection=_PROJECTION,
        after=41,
        before=Position(44),
        reason="two trial events, deleted before we went live",
    ),
    RegisterVerdictSchema(
        by=ADMIN,
        schema_id="grant",
        title="A sum is granted, or nothing",
        json_schema=_GRANT_SCHEMA,
        reason="the spring call",
    ),
)

_STREAM_IDS: dict[Category, str] = {
    "access": _BOB,
    "operation": _PROJECTION,
    "artifact": ARTIFACT_ID,
    "posture": ARTIFACT_ID,
}


def in_envelope(category: Category, event: Event) -> Envelope:
    """Return `event` as the Chronicle would hold it, in a stream of its category."""
    stream_id = _STREAM_IDS.get(category, TOPIC_ID)
    return Envelope(
        id=EVENT_ID,
        stream=StreamName(category, stream_id),
        source="moot/example",
        time=NOON,
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
