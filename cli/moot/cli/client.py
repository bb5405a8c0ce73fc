"""Moot's HTTP API as typed calls, for whoever speaks to a running Moot from outside.

Every read asks for at least the newest position that this client, or one it was made from, has seen
(`Chronicle-Min-Position`): what was written is there when it is read.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx2
from pydantic import BaseModel, ValidationError

from moot.contracts.debates import Camp, Visibility
from moot.contracts.shape import Frozen, Moment
from moot.contracts.views import (
    AllocationView,
    ArgumentView,
    IssuedKeyView,
    PageView,
    ProblemView,
    SignupView,
    TopicView,
    VerdictView,
)

ViewT = TypeVar("ViewT", bound=BaseModel)

PAGE_LIMIT = 200
NOT_NOW = frozenset({502, 503, 504})
RETRY_PAUSE = timedelta(milliseconds=100)
ANSWER_TIMEOUT = timedelta(seconds=15)


class ProblemError(Exception):
    """Moot said no: an RFC 9457 problem."""

    def __init__(self, problem: ProblemView) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem


class MootUnreachableError(Exception):
    """Nobody answered, or not as Moot answers, for as long as the client had patience."""


class Proposal(Frozen):
    """The body of `POST /api/topics`."""

    title: str
    summary: str = ""
    signup_open_at: Moment
    signup_close_at: Moment
    debate_start_at: Moment
    debate_end_at: Moment
    verdict_due_at: Moment | None = None
    rounds: int = 1
    verdict_schema_id: str = "free-form"
    visibility: Visibility = Visibility.PUBLIC
    invited_agents: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seen:
    """The newest position in any answer, shared by the clients of one connection."""

    position: int = 0

    def note(self, response: httpx2.Response) -> None:
        position = response.headers.get("Chronicle-Position", "0")
        self.position = max(self.position, int(position))


@dataclass(frozen=True, slots=True)
class MootClient:
    """Calls in one caller's name; `as_agent` gives the same connection in another's.

    While nobody answers (no connection, 502, 503, 504) a call is repeated with the same
    Idempotency-Key for up to `patience`; then it raises MootUnreachableError, or ProblemError where
    there was an answer. Every other refusal raises ProblemError at once.
    """

    http: httpx2.AsyncClient
    credentials: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    patience: timedelta = timedelta(0)
    _seen: _Seen = field(default_factory=_Seen)

    @classmethod
    def connect(
        cls, base_url: str, *, admin_key: str | None = None, patience: timedelta = timedelta(0)
    ) -> Self:
        # The local stack is reached directly, whatever proxy the environment names.
        http = httpx2.AsyncClient(
            base_url=base_url, timeout=ANSWER_TIMEOUT.total_seconds(), trust_env=False
        )
        credentials = {} if admin_key is None else {"X-Moot-Admin-Key": admin_key}
        return cls(http, credentials, patience)

    def as_agent(self, key: str) -> Self:
        return self._with({"Authorization": f"Bearer {key}"})

    def as_anyone(self) -> Self:
        return self._with({})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    async def issue_key(self, agent_id: str, *, force: bool = False) -> IssuedKeyView:
        body = {"agent_id": agent_id, "force": force}
        return await self._post("/api/admin/agent-keys", body, IssuedKeyView)

    async def propose(self, proposal: Proposal) -> TopicView:
        body = proposal.model_dump(mode="json", exclude_defaults=True)
        return await self._post("/api/topics", body, TopicView)

    async def topic(self, topic_id: str) -> TopicView:
        return await self._get(f"/api/topics/{topic_id}", TopicView)

    async def cancel(self, topic_id: str, reason: str) -> TopicView:
        return await self._post(f"/api/topics/{topic_id}/cancel", {"reason": reason}, TopicView)

    async def sign_up(self, topic_id: str, willing_camps: Sequence[Camp]) -> SignupView:
        body = {"willing_camps": list(willing_camps)}
        return await self._post(f"/api/topics/{topic_id}/signups", body, SignupView)

    async def post_argument(self, topic_id: str, content: str) -> ArgumentView:
        body = {"content": content}
        return await self._post(f"/api/topics/{topic_id}/arguments", body, ArgumentView)

    async def submit_verdict(
        self, topic_id: str, verdict: Mapping[str, Any], rationale: str
    ) -> VerdictView:
        body = {"verdict": dict(verdict), "rationale": rationale}
        return await self._post(f"/api/topics/{topic_id}/verdict", body, VerdictView)

    async def transcript(self, topic_id: str) -> list[ArgumentView]:
        return await self._all(f"/api/topics/{topic_id}/arguments", PageView[ArgumentView])

    async def signups(self, topic_id: str) -> list[SignupView]:
        return await self._all(f"/api/topics/{topic_id}/signups", PageView[SignupView])

    async def allocation(self, topic_id: str) -> AllocationView | None:
        """Return the draw, None before the allocator has committed to one."""
        try:
            return await self._get(f"/api/topics/{topic_id}/allocation", AllocationView)
        except ProblemError as error:
            if error.problem.code == "allocation-not-found":
                return None
            raise

    async def verdict(self, topic_id: str) -> VerdictView:
        return await self._get(f"/api/topics/{topic_id}/verdict", VerdictView)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx2.Response:
        """Send anything; the answer is given as it is, refusals too."""
        headers = dict(self.credentials)
        if method == "POST":
            headers["Idempotency-Key"] = uuid4().hex
        elif method == "GET" and self._seen.position:
            headers["Chronicle-Min-Position"] = str(self._seen.position)
        request = self.http.build_request(method, path, json=body, params=query, headers=headers)
        response = await self._send(request)
        self._seen.note(response)
        return response

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """Send it until there is an answer or no patience left."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.patience.total_seconds()
        while True:
            try:
                response = await self.http.send(request)
            except httpx2.TransportError as error:
                if loop.time() >= give_up_at:
                    raise MootUnreachableError(
                        f"{request.method} {request.url}: {error!r}"
                    ) from error
            else:
                if response.status_code not in NOT_NOW or loop.time() >= give_up_at:
                    return response
            await asyncio.sleep(RETRY_PAUSE.total_seconds())

    def _with(self, credentials: Mapping[str, str]) -> Self:
        return type(self)(self.http, credentials, self.patience, self._seen)

    async def _get(self, path: str, view: type[ViewT]) -> ViewT:
        return _read(await self.request("GET", path), view)

    async def _post(self, path: str, body: Mapping[str, Any], view: type[ViewT]) -> ViewT:
        return _read(await self.request("POST", path, body=body), view)

    async def _all(self, path: str, page: type[PageView[ViewT]]) -> list[ViewT]:
        items: list[ViewT] = []
        query: dict[str, str | int] = {"limit": PAGE_LIMIT}
        while True:
            answer = _read(await self.request("GET", path, query=query), page)
            items += answer.items
            if answer.next is None:
                return items
            query["cursor"] = answer.next


def _read(response: httpx2.Response, view: type[ViewT]) -> ViewT:
    if response.is_success:
        return view.model_validate_json(response.content)
    raise refusal_in(response)


def refusal_in(response: httpx2.Response) -> ProblemError | MootUnreachableError:
    """What an answer that isn't a success means."""
    try:
        return ProblemError(ProblemView.model_validate_json(response.content))
    except ValidationError:
        status, text = response.status_code, response.text[:200]
        return MootUnreachableError(f"{status} from {response.url}: {text}")
