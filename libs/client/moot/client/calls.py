"""What every call has in common: whose name it is made in, what it waits for, how it is read."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx2
from pydantic import BaseModel

from moot.client.live import follow
from moot.client.pages import LARGEST_PAGE, Pages
from moot.client.problems import ProblemError, refusal_in
from moot.client.sending import Sender
from moot.contracts.views import EventView, PageView, View

ViewT = TypeVar("ViewT", bound=View)

Query = Mapping[str, str | int | bool | None]
Headers = Mapping[str, str]

ANSWER_WITHIN = timedelta(seconds=15)
NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Seen:
    """The newest position in any answer or event, shared by the clients of one connection."""

    position: int = 0

    def note(self, response: httpx2.Response) -> None:
        text = response.headers.get("Chronicle-Position", "")
        if text.isascii() and text.isdecimal():
            self.reach(int(text))

    def reach(self, position: int) -> None:
        self.position = max(self.position, position)


class Calls:
    """Makes calls in one caller's name."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        credentials: Headers,
        *,
        patience: timedelta,
        read_your_writes: bool,
        seen: Seen | None = None,
    ) -> None:
        self._http = http
        self._credentials = dict(credentials)
        self._sender = Sender(http, patience)
        self._read_your_writes = read_your_writes
        self._seen = seen or Seen()

    @property
    def position(self) -> int:
        """The newest position of the Chronicle that any answer has told of; 0 before the first."""
        return self._seen.position

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,  # noqa: ANN401 any JSON
        query: Query = NOTHING,
        headers: Headers = NOTHING,
        within: timedelta = ANSWER_WITHIN,
    ) -> httpx2.Response:
        """Send anything; the answer is given as it is, refusals too."""
        reads = method in {"GET", "HEAD"}
        sent = self._credentials | dict(headers)
        if not reads:
            sent.setdefault("Idempotency-Key", uuid4().hex)
        elif self._read_your_writes and self._seen.position:
            sent.setdefault("Chronicle-Min-Position", str(self._seen.position))
        request = self._http.build_request(
            method,
            path,
            json=body,
            params=_told(query),
            headers=sent,
            timeout=within.total_seconds(),
        )
        response = await self._sender.send(request)
        self._seen.note(response)
        return response

    async def _get(
        self,
        path: str,
        view: type[ViewT],
        *,
        query: Query = NOTHING,
        within: timedelta = ANSWER_WITHIN,
    ) -> ViewT:
        return _read(await self.request("GET", path, query=query, within=within), view)

    async def _find(self, path: str, view: type[ViewT], *, missing: str) -> ViewT | None:
        """As `_get`, but None where the refusal is `missing`."""
        try:
            return await self._get(path, view)
        except ProblemError as error:
            if error.code == missing:
                return None
            raise

    async def _text(self, path: str, *, query: Query = NOTHING) -> str:
        response = await self.request("GET", path, query=query)
        if not response.is_success:
            raise refusal_in(response)
        return response.text

    async def _write(
        self,
        method: str,
        path: str,
        view: type[ViewT],
        body: BaseModel | Mapping[str, Any],
        key: str | None = None,
        *,
        if_match: str | None = None,
    ) -> ViewT:
        """Send a body; `key` is an Idempotency-Key of the caller's own, `if_match` an ETag."""
        return _read(await self._written(method, path, body, key, if_match=if_match), view)

    async def _written(
        self,
        method: str,
        path: str,
        body: BaseModel | Mapping[str, Any] | None = None,
        key: str | None = None,
        *,
        query: Query = NOTHING,
        if_match: str | None = None,
    ) -> httpx2.Response:
        if isinstance(body, BaseModel):
            body = body.model_dump(mode="json", exclude_unset=True)
        told = {"Idempotency-Key": key, "If-Match": if_match}
        headers = {name: text for name, text in told.items() if text is not None}
        response = await self.request(method, path, body=body, query=query, headers=headers)
        if not response.is_success:
            raise refusal_in(response)
        return response

    def _pages(
        self, path: str, page: type[PageView[ViewT]], query: Query = NOTHING
    ) -> Pages[ViewT]:
        async def read(cursor: str | None) -> PageView[ViewT]:
            asked = {"limit": LARGEST_PAGE, **query, "cursor": cursor}
            return await self._get(path, page, query=asked)

        return Pages(read)

    async def _follow(
        self, path: str, after: int | None, query: Query = NOTHING
    ) -> AsyncGenerator[EventView]:
        """What is read once an event was heard shows at least that event."""
        patience = self._sender.patience
        async with aclosing(
            follow(self._http, path, self._credentials, _told(query), after, patience)
        ) as heard:
            async for event in heard:
                self._seen.reach(event.position)
                yield event


def segment(text: str) -> str:
    """Return text as one segment of a path, whatever is in it."""
    return quote(text, safe="")


def _told(query: Query) -> dict[str, str]:
    """What was given, as a query says it."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }


def _read(response: httpx2.Response, view: type[ViewT]) -> ViewT:
    if response.is_success:
        answered = view.model_validate_json(response.content)
        return answered.answered_with(response.headers.get("ETag"))
    raise refusal_in(response)
