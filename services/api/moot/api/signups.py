"""Sign-ups of a topic."""

from starlette.responses import Response

from moot.api.bodies import SignUpBody
from moot.api.exchange import (
    Api,
    Asked,
    answer_gone,
    answer_write,
    body_of,
    obey,
    wait_for_position,
)
from moot.api.lists import PageQuery, answer_page, page_of
from moot.api.operations import Operation
from moot.api.parked import check_shown, saying_parked
from moot.api.queries.checkpoints import Row
from moot.api.queries.signups import PROJECTIONS, list_signups
from moot.api.topics import born
from moot.contracts.envelope import Envelope
from moot.contracts.ids import AgentId
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import SignUp, WithdrawSignup
from moot.contracts.topic_events import SignedUp
from moot.contracts.views import PageView, SignupView
from moot.domain import topic
from moot.domain.topic_stages import TimedSignup, TopicState, signups_of
from moot.runtime.deciding import Outcome


async def sign_up(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    body = await body_of(api, asked, SignUpBody)
    command = SignUp(by=asked.caller, willing_camps=body.willing_camps)
    outcome = await obey(api, asked, topic, topic_id, command)
    timed = signups_of(born(outcome))[AgentId(asked.caller.id)]
    position = await _position(api, asked, outcome)
    view = signup_view(timed, position)
    response = answer_write(view, outcome, 201 if _is_first(outcome) else 200)
    response.headers["Location"] = f"/api/topics/{topic_id}/signups/me"
    return response


def _is_first(outcome: Outcome[TopicState]) -> bool:
    """Signing up again keeps the time of the first sign-up."""
    return any(
        isinstance(event := recorded.event, SignedUp)
        and signups_of(born(outcome))[event.agent_id].signed_up_at == event.signed_up_at
        for recorded in outcome.recorded
    )


async def _position(api: Api, asked: Asked, outcome: Outcome[TopicState]) -> int:
    """Where the sign-up got its present form; it was earlier when the command changed nothing."""
    if outcome.recorded:
        return outcome.recorded[-1].position
    stream = StreamName("topic", asked.topic_id)
    events = await api.chronicle.read(stream)
    return max(
        stored.position
        for stored in events
        if stored.position <= outcome.position
        and isinstance(event := Envelope.from_bytes(stream, stored.body).event, SignedUp)
        and event.agent_id == asked.caller.agent_id
    )


async def withdraw_signup(api: Api, asked: Asked) -> Response:
    command = WithdrawSignup(by=asked.caller)
    outcome = await obey(api, asked, topic, asked.topic_id, command)
    return answer_gone(outcome)


async def list_all(api: Api, asked: Asked) -> Response:
    topic_id = asked.topic_id
    of = f"signups {topic_id}"
    query, after = await page_of(api, asked, of)
    await wait_for_position(api, asked, PROJECTIONS)
    rows = await list_signups(api.pool, topic_id, after, query.limit + 1)
    parked = await check_shown(api, asked, topic_id, rows[0])
    found = [
        (int(row["ordinal_position"]), signup_view_of_row(row))
        for row in rows
        if row["agent_id"] is not None
    ]
    page = answer_page(api, asked, found, query, of, rows[0]["as_of"])
    return saying_parked(page, parked)


def signup_view(timed: TimedSignup, position: int) -> SignupView:
    return SignupView(
        agent_id=timed.signup.agent_id,
        willing_camps=timed.signup.willing_camps,
        signed_up_at=timed.signed_up_at,
        position=position,
    )


def signup_view_of_row(row: Row) -> SignupView:
    return SignupView(
        agent_id=row["agent_id"],
        willing_camps=tuple(row["willing_camps"]),
        signed_up_at=row["signed_up_at"],
        position=row["position"],
    )


OPERATIONS = (
    Operation(
        "POST",
        "/api/topics/{topic_id}/signups",
        "sign_up",
        "signups",
        "Sign up, or change the camps one is willing to take",
        sign_up,
        {201: SignupView, 200: SignupView},
        who="callers",
        body=SignUpBody,
        example={"willing_camps": ["pro", "judge"]},
        problems=(
            "topic-not-found",
            "not-an-agent",
            "signup-not-open",
            "idempotency-key-reused",
        ),
    ),
    Operation(
        "GET",
        "/api/topics/{topic_id}/signups",
        "list_signups",
        "signups",
        "List sign-ups in their order",
        list_all,
        {200: PageView[SignupView]},
        who="callers",
        query=PageQuery,
        problems=(
            "topic-not-found",
            "invalid-request",
            "invalid-cursor",
            "projection-behind",
            "projection-parked",
        ),
    ),
    Operation(
        "DELETE",
        "/api/topics/{topic_id}/signups/me",
        "withdraw_signup",
        "signups",
        "Withdraw one's sign-up",
        withdraw_signup,
        {204: None},
        who="callers",
        problems=("topic-not-found", "not-an-agent", "signup-not-open", "not-signed-up"),
    ),
)
