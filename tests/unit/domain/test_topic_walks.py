"""Random walks: whatever is asked whenever, a topic stays a topic."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import reduce

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from moot.contracts.debates import ADMIN, CAMPS, Camp, Stage
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
from moot.contracts.topic_events import TopicEvent
from moot.domain import deadlines, topic
from moot.domain.deadlines import Deadline, deadline_command, next_deadline
from moot.domain.draw import commitment
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Born, Unborn, camps_of, signups_of, stage_of, timetable_of
from tests.support.topics import (
    ALLOCATOR,
    AT_STAGE,
    CREATOR,
    DEBATERS,
    NOON,
    SCHEDULE,
    SECRET,
    TICKER,
)

LEADS_TO: dict[Stage, set[Stage]] = {
    Stage.CREATED: {Stage.SIGNUP_OPEN, Stage.CANCELLED},
    Stage.SIGNUP_OPEN: {Stage.ALLOCATING, Stage.CANCELLED},
    Stage.ALLOCATING: {Stage.SIGNUP_CLOSED, Stage.CANCELLED},
    Stage.SIGNUP_CLOSED: {Stage.DEBATING, Stage.CANCELLED},
    Stage.DEBATING: {Stage.JUDGING, Stage.CANCELLED},
    Stage.JUDGING: {Stage.COMPLETED, Stage.CANCELLED},
    Stage.COMPLETED: set(),
    Stage.CANCELLED: set(),
}
PAST_THE_ROUNDS = {Stage.JUDGING, Stage.COMPLETED}
BEGINS: dict[Stage, datetime] = {
    Stage.CREATED: NOON,
    Stage.SIGNUP_OPEN: SCHEDULE.signup_open_at + timedelta(minutes=10),
    Stage.ALLOCATING: SCHEDULE.signup_close_at,
    Stage.SIGNUP_CLOSED: SCHEDULE.signup_close_at,
    Stage.DEBATING: SCHEDULE.debate_start_at,
    Stage.JUDGING: SCHEDULE.debate_end_at,
    Stage.COMPLETED: SCHEDULE.debate_end_at + timedelta(hours=1),
    Stage.CANCELLED: NOON,
}
AGENTS = (CREATOR, *DEBATERS)
EVERY_DEADLINE = tuple(
    Deadline(NOON, name)
    for name in ("open_signup", "close_signup", "start_debate", "end_debate", "flag_overdue")
) + tuple(Deadline(NOON, "open_round", round_no=number) for number in (1, 2))

agents = st.sampled_from(AGENTS)
Wish = Callable[[], TopicCommand]


class TopicWalk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.history: list[TopicEvent] = []
        self.state = topic.initial

    @initialize(stage=st.sampled_from(Stage), rounds=st.integers(1, 3), private=st.booleans())
    def start_somewhere(self, stage: Stage, rounds: int, *, private: bool) -> None:
        given = AT_STAGE[stage](
            rounds=1 if stage in PAST_THE_ROUNDS else rounds,
            visibility="private" if private else "public",
            invited_agents=[agent.id for agent in DEBATERS],
        )
        self.history, self.state, self.now = list(given.history), given.state, BEGINS[stage]

    @rule(minutes=st.integers(0, 150))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def time_passes_to_the_deadline(self) -> None:
        deadline = next_deadline(timetable_of(self._born()))
        if deadline is not None:
            self.now = max(self.now, deadline.due_at)
            self._ask(deadline_command(deadline, TICKER))  # type: ignore[arg-type]

    @rule(deadline=st.sampled_from(EVERY_DEADLINE))
    def the_ticker_fires(self, deadline: Deadline) -> None:
        self._ask(deadline_command(deadline, TICKER))  # type: ignore[arg-type]

    @rule(secret=st.sampled_from([SECRET, b"another"]))
    def the_allocator_commits(self, secret: bytes) -> None:
        self._ask(CommitDraw(by=ALLOCATOR, commitment=commitment(secret)))

    @rule()
    def the_allocator_draws(self) -> None:
        self._ask(AllocateCamps(by=ALLOCATOR, secret=SECRET.hex()))

    @rule(agent=agents, camps=st.lists(st.sampled_from(CAMPS), min_size=1))
    def somebody_signs_up(self, agent: object, camps: list[Camp]) -> None:
        self._ask(SignUp.model_validate({"by": agent, "willing_camps": camps}))

    @rule(agent=agents)
    def somebody_withdraws(self, agent: object) -> None:
        self._ask(WithdrawSignup.model_validate({"by": agent}))

    @rule(agent=agents)
    def somebody_argues(self, agent: object) -> None:
        self._ask(PostArgument.model_validate({"by": agent, "content": "Because."}))

    @rule(agent=agents)
    def somebody_judges(self, agent: object) -> None:
        self._ask(
            SubmitVerdict.model_validate({"by": agent, "verdict": {}, "rationale": "So it is."})
        )

    @rule(agent=agents)
    def the_judge_is_replaced(self, agent: object) -> None:
        who = type(CREATOR).model_validate(agent).id
        self._ask(ReplaceJudge.model_validate({"by": ADMIN, "agent_id": who}))

    @rule(minutes=st.integers(-90, 90), name=st.sampled_from(sorted(type(SCHEDULE).model_fields)))
    def a_time_is_amended(self, minutes: int, name: str) -> None:
        old = getattr(self._born().facts.schedule, name) or SCHEDULE.verdict_deadline
        new = old + timedelta(minutes=minutes)
        self._ask(AmendTopic.model_validate({"by": CREATOR, name: new}))

    @rule(visibility=st.sampled_from(["public", "private"]))
    def visibility_is_set(self, visibility: str) -> None:
        self._ask(SetVisibility.model_validate({"by": ADMIN, "visibility": visibility}))

    @rule(by=st.sampled_from([ADMIN, *AGENTS]), certain=st.integers(0, 9))
    def somebody_cancels(self, by: object, certain: int) -> None:
        if certain == 0:
            self._ask(CancelTopic.model_validate({"by": by, "reason": "enough"}))

    def _ask(self, command: TopicCommand) -> None:
        decision = topic.decide(self.state, command, self.now)
        if isinstance(decision, Refused):
            assert decision.detail
            return
        before = self.state
        for event in decision:
            self.state = topic.evolve(self.state, event)
            self.history.append(event)
        if not isinstance(before, Unborn) and decision:
            self._check_stage_change(stage_of(before), stage_of(self._born()))

    def _check_stage_change(self, before: Stage, after: Stage) -> None:
        assert after == before or after in LEADS_TO[before]

    def _born(self) -> Born:
        assert not isinstance(self.state, Unborn)
        return self.state

    @invariant()
    def folding_its_events_gives_its_state(self) -> None:
        assert reduce(topic.evolve, self.history, topic.initial) == self.state

    @invariant()
    def the_timetable_follows_from_the_events_alone(self) -> None:
        if self.history:
            folded = None
            for event in self.history:
                folded = deadlines.evolve(folded, event)
            assert next_deadline(folded) == next_deadline(timetable_of(self._born()))
            if folded is not None:
                assert deadlines.from_json(deadlines.to_json(folded)) == folded

    @invariant()
    def nobody_sits_in_two_camps_and_all_had_signed_up(self) -> None:
        if self.history:
            seated = [seat.agent_id for seat in camps_of(self._born())]
            assert len(set(seated)) == len(seated)
            assert set(seated) <= set(signups_of(self._born()))
            assert len(seated) in {0, 3}


TopicWalk.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_topic_walks = TopicWalk.TestCase
