"""Every stage × every command: what it leads to, or the code it is refused with."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter

from moot.contracts.debates import ADMIN, CAMPS, Caller, Stage, Visibility
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
    TopicCommand,
    WithdrawSignup,
)
from moot.domain.draw import commitment
from moot.domain.refusal import Refused
from tests.support.topics import (
    ALLOCATOR,
    AT_STAGE,
    CREATOR,
    DEBATERS,
    SCHEDULE,
    SECRET,
    TICKER,
    Given,
)

INSIDE = {
    Stage.CREATED: SCHEDULE.signup_open_at - timedelta(minutes=1),
    Stage.SIGNUP_OPEN: SCHEDULE.signup_close_at - timedelta(minutes=1),
    Stage.ALLOCATING: SCHEDULE.signup_close_at,
    Stage.SIGNUP_CLOSED: SCHEDULE.debate_start_at - timedelta(minutes=1),
    Stage.DEBATING: SCHEDULE.debate_end_at - timedelta(minutes=1),
    Stage.JUDGING: SCHEDULE.debate_end_at + timedelta(minutes=1),
    Stage.COMPLETED: SCHEDULE.debate_end_at + timedelta(minutes=1),
    Stage.CANCELLED: SCHEDULE.signup_open_at - timedelta(minutes=1),
}
"""A moment at which a topic is rightly at the stage: its next deadline isn't due yet."""


def _as_judge(given: Given) -> Caller:
    return given.agent_in("judge") if _seated(given) else DEBATERS[0]


def _spare(given: Given) -> Caller:
    seated = {given.agent_in(camp).id for camp in CAMPS} if _seated(given) else set[str]()
    return next(agent for agent in DEBATERS if agent.id not in seated)


def _seated(given: Given) -> bool:
    return any(event.type.endswith("camps_allocated.v1") for event in given.history)


def _another(given: Given) -> TopicCommand:
    proposal = {"by": CREATOR, "title": "Another", "schedule": SCHEDULE}
    assert given.history
    return ProposeTopic.model_validate(proposal)


COMMANDS: dict[str, Callable[[Given], TopicCommand]] = {
    "propose_topic": _another,
    "amend_topic": lambda _: AmendTopic(by=CREATOR, title="Another title"),
    "set_visibility": lambda _: SetVisibility(by=ADMIN, visibility=Visibility.PRIVATE),
    "cancel_topic": lambda _: CancelTopic(by=ADMIN, reason="no longer asked"),
    "cancel_topic by its creator": lambda _: CancelTopic(by=CREATOR, reason="I was wrong"),
    "replace_judge": lambda given: ReplaceJudge.model_validate(
        {"by": ADMIN, "agent_id": _spare(given).id}
    ),
    "sign_up": lambda _: SignUp.model_validate(
        {"by": Caller.agent("eve"), "willing_camps": ["pro"]}
    ),
    "withdraw_signup": lambda _: WithdrawSignup(by=DEBATERS[0]),
    "post_argument": lambda given: PostArgument(by=_as_judge(given), content="Consider this."),
    "submit_verdict": lambda given: SubmitVerdict(
        by=_as_judge(given), verdict={"any": "object"}, rationale="As argued."
    ),
    "commit_draw": lambda _: CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET)),
    "commit_draw to another": lambda _: CommitDraw(by=ALLOCATOR, commitment=commitment(b"x")),
    "allocate_camps": lambda _: AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()),
    "allocate_camps by another secret": lambda _: AllocateCamps(by=ALLOCATOR, secret="00" * 32),
    "open_signup": lambda _: OpenSignup(by=TICKER),
    "close_signup": lambda _: CloseSignup(by=TICKER),
    "start_debate": lambda _: StartDebate(by=TICKER),
    "open_round": lambda _: OpenRound(by=TICKER, round_no=1),
    "end_debate": lambda _: EndDebate(by=TICKER),
    "flag_overdue": lambda _: FlagOverdue(by=TICKER),
}

OBEYED = "obeyed"
STAGES = tuple(Stage)
# In the order of `Stage`: created, signup_open, allocating, signup_closed, cancelled, debating,
# judging, completed. An event's name, "obeyed", or a refusal's code.
EXPECTED: dict[str, str] = {
    "propose_topic": "topic-exists " * 8,
    "amend_topic": "topic_amended topic_amended " + "too-late-to-amend " * 6,
    "set_visibility": "visibility_set " * 8,
    "cancel_topic": "topic_cancelled topic_cancelled topic_cancelled topic_cancelled obeyed"
    " topic_cancelled topic_cancelled too-late-to-cancel",
    "cancel_topic by its creator": "topic_cancelled topic_cancelled too-late-to-cancel"
    " too-late-to-cancel obeyed too-late-to-cancel too-late-to-cancel too-late-to-cancel",
    "replace_judge": "not-judging " * 6 + "judge_replaced not-judging",
    "sign_up": "signup-not-open signed_up " + "signup-not-open " * 6,
    "withdraw_signup": "signup-not-open signup_withdrawn " + "signup-not-open " * 6,
    "post_argument": "not-in-camp not-in-camp not-in-camp debate-not-open not-in-camp"
    " argument_posted debate-not-open debate-not-open",
    "submit_verdict": "not-judge not-judge not-judge too-early not-judge too-early"
    " verdict_submitted verdict-exists",
    "commit_draw": "not-allocating obeyed obeyed " + "not-allocating " * 5,
    "commit_draw to another": "not-allocating draw-already-committed draw-already-committed "
    + "not-allocating " * 5,
    "allocate_camps": "not-allocating not-allocating camps_allocated obeyed not-allocating"
    " obeyed obeyed obeyed",
    "allocate_camps by another secret": "not-allocating not-allocating draw-secret-mismatch "
    + "not-allocating " * 5,
    "open_signup": "not-due " + "obeyed " * 7,
    "close_signup": "not-due not-due " + "obeyed " * 6,
    "start_debate": "not-due not-due not-due not-due obeyed obeyed obeyed obeyed",
    "open_round": "not-due not-due not-due not-due obeyed not-due obeyed obeyed",
    "end_debate": "not-due not-due not-due not-due obeyed not-due obeyed obeyed",
    "flag_overdue": "not-due not-due not-due not-due obeyed not-due not-due obeyed",
}


def _outcome(given: Given, command: TopicCommand, at: datetime) -> str:
    decision = given.decide(command, at)
    if isinstance(decision, Refused):
        return decision.code
    assert len(decision) <= 1, "a command yields one event where it can"
    return decision[0].type.split(".")[2] if decision else OBEYED


@pytest.mark.parametrize("command_name", COMMANDS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_answers_every_command(stage: Stage, command_name: str) -> None:
    given = AT_STAGE[stage]()
    expected = EXPECTED[command_name].split()[STAGES.index(stage)]
    assert _outcome(given, COMMANDS[command_name](given), INSIDE[stage]) == expected


def test_every_command_is_in_the_table() -> None:
    names = {name for schema in _shapes() for name in [schema["properties"]["name"]["const"]]}
    assert names == {name.split()[0] for name in COMMANDS}


def _shapes() -> list[dict[str, dict[str, dict[str, str]]]]:
    defined = TypeAdapter[TopicCommand](TopicCommand).json_schema()["$defs"]
    return [shape for shape in defined.values() if "name" in shape.get("properties", {})]


NEW_WISHES = {"post_argument", "submit_verdict", "withdraw_signup"}
"""Asked for again they are asked for anew, so the second is refused or is another fact."""


@pytest.mark.parametrize("command_name", [name for name in COMMANDS if name not in NEW_WISHES])
@pytest.mark.parametrize("stage", STAGES)
def test_deciding_twice_decides_nothing(stage: Stage, command_name: str) -> None:
    given = AT_STAGE[stage]()
    command = COMMANDS[command_name](given)
    decision = given.decide(command, INSIDE[stage])
    if isinstance(decision, Refused):
        assert given.decide(command, INSIDE[stage]) == decision
    else:
        assert given.after(command, INSIDE[stage]).obeyed(command, INSIDE[stage])
