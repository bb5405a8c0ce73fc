"""One answer for each idempotency key: whoever asks again is told what the first was told.

That a wish has one effect doesn't hang on any of this: the command's id follows from caller and
key, and the stream of events knows it. Kept here are the answer's very bytes, and what the key was
used for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice

import structlog
from pydantic_core import from_json, to_json
from starlette.responses import Response

from moot.api.problems import SOON, Problem
from moot.api.queries.checkpoints import Row
from moot.api.queries.idempotency_keys import End, Line, Name, prune, read, write
from moot.runtime.database import Pool, is_outage
from moot.runtime.luck import new_id

REPLAYED = "Idempotency-Replayed"
PRUNE_SECONDS = 300.0
MOST_LINES = 200
_ACCEPTED = range(200, 300)
_FAULT = 500

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer; without a `body` where that shows a secret."""

    status: int
    headers: str
    body: bytes | None

    def response(self) -> Response:
        if self.body is None:
            raise Problem("already-issued")
        response = Response(self.body, self.status, headers=from_json(self.headers))
        response.headers[REPLAYED] = "true"
        return response


@dataclass(slots=True, eq=False)
class _Run:
    """A request with a key that this process carries out, until what came of it is written."""

    name: Name
    fingerprint: bytes
    claim: str
    claimed: asyncio.Future[bool]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    kept: _Kept | None = None
    end: End | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it is being carried out: claimed, and not ended."""
        return self.end is None and not self.claimed.cancelled() and self.claimed.result()

    def line(self) -> Line:
        if self.kept is None:
            return Line(self.name, self.fingerprint, self.claim, self.end)
        answer = (self.kept.status, self.kept.headers, self.kept.body)
        return Line(self.name, self.fingerprint, self.claim, None, *answer)


class IdempotencyKeys:
    """`run` and `prune_for_ever` are jobs of the service; `write` writes what is left at its end.

    Claims and answers are written together, by one statement at a time: a command costs one short
    wait before it is decided, and nothing after.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._runs: dict[Name, _Run] = {}
        self._waiting: dict[Name, _Run] = {}
        self._more = asyncio.Event()

    async def once(
        self,
        name: Name,
        fingerprint: bytes,
        answer: Callable[[], Awaitable[Response]],
        *,
        shows_secret: bool,
    ) -> Response:
        """Answer by `answer`, or as it was answered before.

        Only what was accepted is kept. Raises Problem `idempotency-key-reused`,
        `idempotency-key-in-use` or `already-issued`.
        """
        begun = await self._begin(name, fingerprint)
        if isinstance(begun, _Kept):
            return begun.response()
        try:
            response = await answer()
        except BaseException as error:
            self._fail(begun, error)
            raise
        if response.status_code in _ACCEPTED:
            begun.kept = _kept(response, shows_secret=shows_secret)
        else:
            begun.end = "refused"
        self._write_soon(begun)
        return response

    async def run(self) -> None:
        """Write, for ever."""
        while True:
            await self._more.wait()
            await self.write()

    async def write(self) -> None:
        """Write all that waits. What can't be written is lost: who claims is told so."""
        self._more.clear()
        while self._waiting:
            runs = [self._waiting.pop(name) for name in [*islice(self._waiting, MOST_LINES)]]
            try:
                written = await write(self._pool, [run.line() for run in runs])
            except Exception as error:
                if not is_outage(error):
                    raise
                self._give_up(runs, error)
                continue
            for run in runs:
                if run.claimed.done():
                    self._forget(run)
                else:
                    run.claimed.set_result(run.name in written)

    async def prune_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            try:
                while not await prune(self._pool):
                    pass
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("idempotency_keys_not_pruned", reason=str(error))

    async def _begin(self, name: Name, fingerprint: bytes) -> _Run | _Kept:
        while (other := self._runs.get(name)) is not None:
            if other.fingerprint != fingerprint:
                raise Problem("idempotency-key-reused")
            if other.kept is not None:
                return other.kept
            if not other.claimed.done():
                await asyncio.wait({other.claimed})
            elif other.goes_on:
                raise _in_use()
            else:
                await other.ended.wait()
        claimed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        run = self._runs[name] = _Run(name, fingerprint, new_id(), claimed)
        try:
            self._write_soon(run)
            if await claimed:
                return run
            found = await read(self._pool, name)
        except BaseException:
            self._forget(run)
            raise
        self._forget(run)
        return _answered(found, fingerprint)

    def _fail(self, run: _Run, error: BaseException) -> None:
        refused = isinstance(error, Problem) and error.status < _FAULT
        run.end = "refused" if refused else "unknown"
        self._write_soon(run)

    def _write_soon(self, run: _Run) -> None:
        self._waiting[run.name] = run
        self._more.set()

    def _forget(self, run: _Run) -> None:
        if self._runs.get(run.name) is run:
            del self._runs[run.name]
        run.ended.set()

    def _give_up(self, runs: list[_Run], error: Exception) -> None:
        lost = 0
        for run in runs:
            if run.claimed.done():
                lost += 1
                self._forget(run)
            else:
                run.claimed.set_exception(error)
        if lost:
            log.warning("idempotency_answers_lost", answers=lost, reason=str(error))


def _kept(response: Response, *, shows_secret: bool) -> _Kept:
    headers = {k: v for k, v in response.headers.items() if k not in _NOT_KEPT}
    body = None if shows_secret else bytes(response.body)
    return _Kept(response.status_code, to_json(headers).decode(), body)


_NOT_KEPT = frozenset({"content-length", REPLAYED.lower()})


def _answered(found: Row | None, fingerprint: bytes) -> _Kept:
    if found is not None and found["fingerprint"] != fingerprint:
        raise Problem("idempotency-key-reused")
    if found is None or found["status"] is None:
        raise _in_use()
    return _Kept(found["status"], found["headers"], found["body"])


def _in_use() -> Problem:
    return Problem("idempotency-key-in-use", headers=SOON)
