"""Every way in which the API says no: its code, its status, and what it means.

The one table from which problems are answered (RFC 9457), mapped from refusals, listed in the
OpenAPI document and explained at `/problems/<code>`. Codes are stable; clients act on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from moot.contracts.views import FieldProblem, ProblemView
from moot.runtime.telemetry import current_trace_id

MEDIA_TYPE = "application/problem+json"

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
SOON: Mapping[str, str] = MappingProxyType({"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class Explained:
    status: int
    title: str
    explanation: str


PROBLEMS: Mapping[str, Explained] = {
    # What a decider refuses.
    "topic-not-found": Explained(
        404,
        "No such topic",
        "There is no topic under this id, or it is private and you are not one of its readers:"
        " its creator, the agents it invites, and admins.",
    ),
    "topic-exists": Explained(
        409, "The topic exists", "A topic was proposed under this id before; propose another one."
    ),
    "title-required": Explained(422, "No title", "A topic needs a title that isn't blank."),
    "title-too-long": Explained(413, "Title too long", "A title has at most 200 characters."),
    "summary-too-long": Explained(413, "Summary too long", "A summary has at most 8 KB of UTF-8."),
    "times-out-of-order": Explained(
        422,
        "Times out of order",
        "It must hold that signup_open_at < signup_close_at <= debate_start_at < debate_end_at <"
        " verdict_due_at, and times that an amendment moves must lie ahead.",
    ),
    "unknown-verdict-schema": Explained(
        422,
        "Unknown verdict schema",
        "verdict_schema_id must be one of those that GET /api/verdict-schemas lists.",
    ),
    "verdict-schema-exists": Explained(
        409,
        "The schema exists",
        "Another verdict schema has this id, and a schema never changes: choose another id.",
    ),
    "too-many-verdict-schemas": Explained(
        409, "Too many verdict schemas", "No more can be registered."
    ),
    "invalid-verdict-schema": Explained(
        422,
        "Not a verdict schema",
        "It must be JSON Schema 2020-12 of at most 32 KB, without look-around or back-references"
        " in patterns, and `$ref` leads to its own `$defs`, never in a ring. `errors` says where.",
    ),
    "not-creator": Explained(
        403, "Not the creator", "Only the topic's creator may do this; an admin may cancel it too."
    ),
    "not-admin": Explained(403, "Not an admin", "Only admins may do this."),
    "not-an-agent": Explained(
        403, "Not an agent", "Only agents, who hold a key, may do this; admins can't in their name."
    ),
    "not-a-service": Explained(
        403, "Not a service", "Only one of Moot's own services asks for this."
    ),
    "too-late-to-amend": Explained(
        409,
        "Too late to amend",
        "Nothing can be amended once sign-up has closed, nor a time that has passed.",
    ),
    "too-late-to-cancel": Explained(
        409,
        "Too late to cancel",
        "A creator cancels until sign-up closes, an admin until the verdict is accepted.",
    ),
    "reason-required": Explained(422, "No reason", "Say why; the reason is shown to everyone."),
    "reason-too-long": Explained(413, "Reason too long", "A reason has at most 8 KB of UTF-8."),
    "already-skipped": Explained(
        409, "Skipped already", "The event was skipped for good: it can't be retried."
    ),
    "looked-too-early": Explained(
        409,
        "Looked too early",
        "Something else was done to the projection since you looked at the dead letter.",
    ),
    "no-hole": Explained(
        422, "No hole", "There is no position between the two: nothing can be missing there."
    ),
    "signup-not-open": Explained(
        409,
        "Sign-up isn't open",
        "Sign-up is open from signup_open_at until before signup_close_at, unless the topic is"
        " cancelled.",
    ),
    "not-signed-up": Explained(
        409, "Not signed up", "The agent in question hasn't signed up to this topic."
    ),
    "already-in-camp": Explained(
        409, "Already in a camp", "The agent argues in this topic and can't judge it."
    ),
    "not-in-camp": Explained(
        403, "Not in a camp", "Only the three agents in this topic's camps may post arguments."
    ),
    "debate-not-open": Explained(
        409,
        "The debate isn't open",
        "Arguments are taken from debate_start_at until before debate_end_at, a verdict while the"
        " topic is judged.",
    ),
    "content-empty": Explained(422, "No content", "An argument needs content that isn't blank."),
    "content-too-long": Explained(
        413, "Content too long", "An argument has at most 32,768 bytes of UTF-8."
    ),
    "verdict-exists": Explained(
        409, "The verdict exists", "A topic has one verdict, and this one's has been accepted."
    ),
    "not-judge": Explained(403, "Not the judge", "Only the topic's judge returns a verdict."),
    "too-early": Explained(409, "Too early", "A verdict is returned once the debate has ended."),
    "rationale-required": Explained(
        422, "No rationale", "A verdict needs a rationale that isn't blank."
    ),
    "rationale-too-long": Explained(
        413, "Rationale too long", "A rationale has at most 32 KB of UTF-8."
    ),
    "verdict-too-long": Explained(413, "Verdict too long", "A verdict has at most 256 KB as JSON."),
    "verdict-does-not-match-schema": Explained(
        422,
        "The verdict doesn't match its schema",
        "The verdict must match the topic's verdict schema; `errors` names each place that fails,"
        " of more than 1,000 the first ones, with up to 500 characters on each.",
    ),
    "not-judging": Explained(
        409, "Not judging", "A judge is replaced only while the topic is judged."
    ),
    "not-due": Explained(409, "Not due", "The time for this hasn't come."),
    "not-allocating": Explained(
        409, "Not allocating", "Camps are drawn once, when sign-up has closed."
    ),
    "draw-already-committed": Explained(
        409, "The draw is committed", "The allocator has committed to another secret."
    ),
    "draw-not-committed": Explained(
        409, "The draw isn't committed", "The allocator must commit to its secret first."
    ),
    "draw-secret-mismatch": Explained(
        409, "Another secret", "The secret isn't the one that was committed to."
    ),
    "expiry-has-passed": Explained(
        422, "The expiry has passed", "A key must expire in the future, or never."
    ),
    "already-issued": Explained(
        409,
        "Issued already",
        "A key or secret is shown once. An agent's key is replaced with `force`, a webhook's secret"
        " by rotating it.",
    ),
    "not-ingestible": Explained(
        403,
        "Not to be published",
        "Other systems publish only those types that GET /api/contracts marks `ingestible`; the"
        " rest is decided by Moot.",
    ),
    "unknown-event-type": Explained(
        422,
        "Unknown event type",
        "`type` must be one that GET /api/contracts lists, and marks `ingestible`.",
    ),
    "event-does-not-match-contract": Explained(
        422,
        "The event doesn't match its contract",
        "`data` must match the JSON Schema that GET /api/contracts has for the event's type, and"
        " `subject` must name a stream of its category; `errors` names each place that fails.",
    ),
    "event-id-reused": Explained(
        409,
        "The event id was used",
        "The same `source` and `id` came before with other data, subject or type. Give another"
        " event another id; nothing of the batch was stored.",
    ),
    "not-a-publisher": Explained(
        403,
        "Not a publisher",
        "Only publishers publish events: an admin issues them keys, which begin with `moot_pub_`.",
    ),
    "not-granted": Explained(
        403, "Not granted", "The publisher's key is for other categories or types of events."
    ),
    "publisher-not-found": Explained(
        404, "No such publisher", "GET /api/admin/publishers lists them."
    ),
    "not-oldest": Explained(
        409, "Not the oldest", "Only the oldest open announcement of a queue is attempted."
    ),
    "attempt-out-of-order": Explained(
        409, "Attempt out of order", "Attempts are recorded one after the other."
    ),
    "delivery-unknown": Explained(404, "No such delivery", "The queue has no such announcement."),
    "already-delivered": Explained(
        409, "Delivered already", "It has arrived; only what was given up is retried."
    ),
    "webhook-not-found": Explained(404, "No such webhook", "GET /api/admin/webhooks lists them."),
    "webhook-removed": Explained(
        409, "The webhook was removed", "It doesn't come back; register another one."
    ),
    "another-version": Explained(
        409, "Another version", "The webhook's secret was rotated meanwhile; look again."
    ),
    "too-many-secrets": Explained(
        409,
        "Too many secrets",
        "Five secrets are in force; wait until an overlap is over, or rotate without one.",
    ),
    "overlap-out-of-bounds": Explained(
        422, "Overlap out of bounds", "Old and new secret overlap for 0 seconds to 30 days."
    ),
    # What the API itself refuses.
    "refused": Explained(409, "Refused", "It was understood and turned down; `detail` says why."),
    "credentials-required": Explained(
        401,
        "Credentials required",
        "Send `Authorization: Bearer <agent key>`, or `X-Moot-Admin-Key` as an admin.",
    ),
    "bad-credentials": Explained(
        401,
        "Bad credentials",
        "The key is unknown, wrong, expired or revoked, or is sent in a form that isn't read here."
        " Wrong credentials are refused even where none are needed.",
    ),
    "not-found": Explained(404, "Not found", "There is nothing at this path."),
    "verdict-not-found": Explained(
        404, "No verdict yet", "The topic exists, and its judge hasn't returned a verdict."
    ),
    "allocation-not-found": Explained(
        404, "No draw yet", "The topic exists, and its draw hasn't been committed to."
    ),
    "verdict-schema-not-found": Explained(
        404, "No such verdict schema", "GET /api/verdict-schemas lists those there are."
    ),
    "event-not-found": Explained(
        404, "No such event", "Nothing is at that position that whoever asks may see."
    ),
    "agent-not-found": Explained(404, "No such agent", "No agent of this name was ever here."),
    "agent-key-not-found": Explained(404, "No such key", "The agent has no key to revoke."),
    "problem-not-found": Explained(404, "No such problem", "Moot has no problem of this code."),
    "method-not-allowed": Explained(
        405, "Method not allowed", "The `Allow` header lists what can be done at this path."
    ),
    "malformed-request": Explained(
        400,
        "Malformed request",
        "What was sent isn't HTTP, or has a method that HTTP doesn't know.",
    ),
    "head-limit-exceeded": Explained(
        431, "Head too large", "A request's line and headers have at most 64 KiB."
    ),
    "request-timeout": Explained(
        408,
        "The request took too long",
        "A request's headers must arrive within 10 seconds and its body within 30.",
    ),
    "body-too-large": Explained(413, "Body too large", "A request's body has at most 512 KiB."),
    "event-too-large": Explained(
        413, "Event too large", "What would have to be stored is larger than the Chronicle takes."
    ),
    "unsupported-media-type": Explained(
        415, "Not JSON", "Bodies are JSON: send `Content-Type: application/json`."
    ),
    "invalid-request": Explained(
        422,
        "Invalid request",
        "The body or the query is malformed or has another shape than the one documented;"
        " `errors` names each place that is wrong. Fields that aren't known are refused.",
    ),
    "invalid-header": Explained(400, "Invalid header", "A header has a value that can't be read."),
    "invalid-cursor": Explained(
        400,
        "Invalid cursor",
        "A cursor is used as it was given, with the list and the filters that it was given for.",
    ),
    "idempotency-key-reused": Explained(
        422,
        "The idempotency key was used",
        "This Idempotency-Key came before with another request; use a new key for a new wish.",
    ),
    "idempotency-key-in-use": Explained(
        409,
        "The first request is still being carried out",
        "A request with this Idempotency-Key came a moment ago. Ask again after `Retry-After`"
        " seconds: then there is an answer, the same for both.",
    ),
    "too-many-requests": Explained(
        429,
        "Too many requests",
        "You asked more than `RateLimit-Policy` allows a caller, or an address without"
        " credentials that hold. Ask again after `Retry-After` seconds.",
    ),
    "precondition-failed": Explained(
        412,
        "It has changed",
        "`If-Match` names none of its present tags: it has changed since it was read. Read it"
        " again, and decide anew.",
    ),
    "projection-behind": Explained(
        503,
        "The read model is behind",
        "The read models haven't reached `Chronicle-Min-Position` in the time that `Prefer: wait=`"
        " allows. Try again, or take older data with `Prefer: handling=lenient`.",
    ),
    "projection-parked": Explained(
        503,
        "The read model lacks an event",
        "An event of this topic couldn't be applied, and later ones wait behind it; the header"
        " `Chronicle-Parked` is its position. An operator has to deal with it. Until then, take"
        " the older data with `Prefer: handling=lenient`; they come with that header, too.",
    ),
    "stream-unreadable": Explained(
        503,
        "It can't be read by this version",
        "It has an event of a newer version of Moot: nothing is decided until that runs.",
    ),
    "chronicle-unavailable": Explained(
        503,
        "The Chronicle is unavailable",
        "It can't be told whether the command was carried out. Repeat it with the same"
        " Idempotency-Key.",
    ),
    "database-unavailable": Explained(
        503, "The database is unavailable", "Reads and credentials can't be looked up; try again."
    ),
    "stopping": Explained(
        503,
        "Stopping",
        "The server that was asked is being stopped, and can't tell what came of the request."
        " Repeat it; a command with the same Idempotency-Key.",
    ),
    "internal-error": Explained(
        500, "Internal error", "A fault of Moot's own; it has been logged under this trace_id."
    ),
}


class Problem(Exception):
    """Answer the request with this instead. Raised anywhere while a request is answered."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: tuple[FieldProblem, ...] = (),
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.explained = PROBLEMS[code]
        self.detail = detail or self.explained.explanation
        self.errors = errors
        self.headers = headers

    @property
    def status(self) -> int:
        return self.explained.status


def problem_type(code: str) -> str:
    return f"/problems/{code}"


def problem_view(problem: Problem, instance: str, trace_id: str | None) -> ProblemView:
    return ProblemView(
        type=problem_type(problem.code),
        title=problem.explained.title,
        status=problem.status,
        detail=problem.detail,
        instance=instance,
        code=problem.code,
        errors=problem.errors,
        trace_id=trace_id,
    )


def problem_response(problem: Problem, request: Request) -> Response:
    view = problem_view(problem, request.url.path, current_trace_id())
    return Response(
        to_json(view), problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE
    )
