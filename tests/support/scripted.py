"""An API that answers what a test has written down for it, and remembers what it was asked."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from moot.client import MootClient
from moot.contracts.views import FieldProblem, ProblemView

Answer = httpx2.Response | Exception
SHORT = timedelta(seconds=3)


def problem(
    status: int,
    code: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> httpx2.Response:
    view = ProblemView(
        type=f"/problems/{code}",
        title=code,
        status=status,
        detail=f"it is {code}",
        instance="/",
        code=code,
        errors=tuple(FieldProblem.model_validate(one) for one in errors),
    )
    sent = {"Content-Type": "application/problem+json", **(headers or {})}
    return httpx2.Response(status, content=view.model_dump_json(), headers=sent)


def answer(
    body: Any,  # noqa: ANN401 any JSON
    *,
    status: int = 200,
    position: int | None = None,
    etag: str | None = None,
) -> httpx2.Response:
    told = {"Chronicle-Position": position, "ETag": etag}
    headers = {name: str(value) for name, value in told.items() if value is not None}
    return httpx2.Response(status, content=json.dumps(body), headers=headers)


@dataclass
class Script:
    """The answers in order; the last one is given again and again."""

    answers: Sequence[Answer | Callable[[httpx2.Request], Answer]]
    asked: list[httpx2.Request] = field(default_factory=list[httpx2.Request])

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        given = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(request)
        if callable(given) and not isinstance(given, httpx2.Response):
            given = given(request)
        if isinstance(given, Exception):
            raise given
        return given

    def client(
        self, *, patience: timedelta = SHORT, read_your_writes: bool = True, key: str | None = None
    ) -> MootClient:
        http = httpx2.AsyncClient(base_url="http://moot.test", transport=httpx2.MockTransport(self))
        credentials = {} if key is None else {"Authorization": f"Bearer {key}"}
        return MootClient(http, credentials, patience=patience, read_your_writes=read_your_writes)
