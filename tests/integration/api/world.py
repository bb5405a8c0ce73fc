"""The API with everything behind it, in the test's own process and at the test's own time.

The Ops DB and its projections are real, the Chronicle is the one in memory; what the ticker and the
allocator would do is done by the test, when it says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from moot.contracts.debates import Stage
from moot.contracts.ids import CommandId
from moot.contracts.topic_commands import (
    AllocateCamps,
    CloseSignup,
    CommitDraw,
    EndDebate,
    OpenSignup,
    StartDebate,
    TopicCommand,
)
from moot.domain import topic
from moot.domain.draw import commitment
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.dispatch import Dispatcher
from moot.runtime.luck import new_id
from tests.integration.api.clock import Clock
from tests.support.topics import ALLOCATOR, DEBATERS, SCHEDULE, SECRET, TICKER

ADMIN_KEY = "an admin's key"
PEPPER = "pepper, pepper, pepper"
SECRET_KEY = "a secret that signs cursors"
NOBODY: Mapping[str, str] = {}
ADMIN: Mapping[str, str] = {"X-Moot-Admin-Key": ADMIN_KEY}

TIMES = {
    name: moment.isoformat()
    for name, moment in SCHEDULE.model_dump(exclude_none=True).items()
    if isinstance(moment, datetime)
}
PROPOSAL: dict[str, Any] = {"title": "Ban plastic bottles", **TIMES}


@dataclass
class World:
    http: httpx2.AsyncClient
    dispatcher: Dispatcher
    clock: Clock
    keys: dict[str, str] = field(default_factory=dict[str, str])
    seen: int = 0
    """The newest position in any answer to a write: reads wait for it."""

    async def agent(self, agent_id: str) -> dict[str, str]:
        """Return the credentials of an agent, whose key is issued the first time."""
        if agent_id not in self.keys:
            answer = await self.post("/api/admin/agent-keys", {"agent_id": agent_id}, ADMIN)
            self.keys[agent_id] = answer.json()["key"]
        return {"Authorization": f"Bearer {self.keys[agent_id]}"}

    async def ask(
        self,
        method: str,
        path: str,
        caller: Mapping[str, str] = NOBODY,
        *,
        json: Any = None,  # noqa: ANN401 any JSON
        content: bytes | None = None,
        headers: Mapping[str, str] = NOBODY,
    ) -> httpx2.Response:
        sent = {"Chronicle-Min-Position": str(self.seen)} if method == "GET" else {}
        sent |= {**caller, **headers}
        answer = await self.http.request(method, path, json=json, content=content, headers=sent)
        if method not in {"GET", "HEAD"} and answer.is_success:
            self.seen = max(self.seen, int(answer.headers["Chronicle-Position"]))
        return answer

    async def get(self, path: str, caller: Mapping[str, str] = NOBODY) -> httpx2.Response:
        return await self.ask("GET", path, caller)

    async def post(
        self,
        path: str,
        body: Any,  # noqa: ANN401 any JSON
        caller: Mapping[str, str] = NOBODY,
        **headers: str,
    ) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, caller, json=body, headers=named)

    async def propose(self, **changes: Any) -> str:  # noqa: ANN401 a proposal's own fields
        """Return the id of a topic that the agent `creator` has proposed."""
        answer = await self.post("/api/topics", PROPOSAL | changes, await self.agent("creator"))
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def fire(self, topic_id: str, command: TopicCommand, at: datetime) -> None:
        """Do what another service would do at that time."""
        self.clock.at = at
        command_id = CommandId(new_id())
        context = CommandContext(command_id, command.by.auth_id, command_id)
        outcome = await self.dispatcher.dispatch(topic, topic_id, command, context)
        assert isinstance(outcome, Outcome), outcome
        self.seen = max(self.seen, outcome.position)

    async def reach(self, topic_id: str, stage: Stage) -> None:
        """Bring a topic that was just proposed to a stage; the four debaters sign up on the way."""
        for reached, step in (
            (Stage.SIGNUP_OPEN, self.open),
            (Stage.ALLOCATING, self.close),
            (Stage.SIGNUP_CLOSED, self.allocate),
            (Stage.DEBATING, self.start),
            (Stage.JUDGING, self.end),
        ):
            await step(topic_id)
            if reached is stage:
                return

    async def open(self, topic_id: str) -> None:
        await self.fire(topic_id, OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
        commit = CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET))
        await self.fire(topic_id, commit, SCHEDULE.signup_open_at)
        for agent in DEBATERS:
            answer = await self.sign_up(topic_id, agent.id, "pro", "con", "judge")
            assert answer.status_code == 201, answer.text

    async def close(self, topic_id: str) -> None:
        await self.fire(topic_id, CloseSignup(by=TICKER), SCHEDULE.signup_close_at)

    async def allocate(self, topic_id: str) -> None:
        allocate = AllocateCamps(by=ALLOCATOR, secret=SECRET.hex())
        await self.fire(topic_id, allocate, SCHEDULE.signup_close_at)

    async def start(self, topic_id: str) -> None:
        await self.fire(topic_id, StartDebate(by=TICKER), SCHEDULE.debate_start_at)

    async def end(self, topic_id: str) -> None:
        await self.fire(topic_id, EndDebate(by=TICKER), SCHEDULE.debate_end_at)

    async def sign_up(self, topic_id: str, agent_id: str, *camps: str) -> httpx2.Response:
        body = {"willing_camps": camps}
        return await self.post(f"/api/topics/{topic_id}/signups", body, await self.agent(agent_id))

    async def in_camp(self, topic_id: str, camp: str) -> dict[str, str]:
        """Return the credentials of who has the camp."""
        return await self.agent(await self.seated(topic_id, camp))

    async def seated(self, topic_id: str, camp: str) -> str:
        found = (await self.get(f"/api/topics/{topic_id}", ADMIN)).json()
        return next(seat["agent_id"] for seat in found["camps"] if seat["camp"] == camp)

    async def spare(self, topic_id: str) -> str:
        """Return the debater who got no camp."""
        found = (await self.get(f"/api/topics/{topic_id}", ADMIN)).json()
        seated = {seat["agent_id"] for seat in found["camps"]}
        return next(agent.id for agent in DEBATERS if agent.id not in seated)
