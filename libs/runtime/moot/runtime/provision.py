"""What must be in NATS before Moot starts: two streams, and a durable consumer for each reactor.

`provision` makes it so and may run any number of times. What it can't or mustn't change, it
refuses with a text for the operator. `check_chronicle` only looks.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from moot.contracts.envelope import MAX_MESSAGE_BYTES
from moot.contracts.subjects import CHRONICLE, DEAD, Category, StreamName, category_filter
from moot.runtime.jetstream_api import CREATED, NOT_FOUND, JetStreamError, ask
from moot.runtime.nats_connection import LostAnswerError, NatsConnection
from moot.runtime.nats_monitor import SyncPolicy, sync_policy, write_problem

OLDEST_SERVER = (2, 12)
"""Atomic batches came with it."""

_CONNECT_SECONDS = 10.0
_CHECK_SECONDS = 1.5
"""Less than a check may take, so that its reason is told."""

_NEVER_STORED = {"Nats-Expected-Last-Sequence": str(2**63 - 1)}
"""The stream's last position will never be this one."""

_SECOND = 1_000_000_000
_DUPLICATE_WINDOW = 120 * _SECOND


class ProvisionError(Exception):
    """NATS can't be made what Moot needs; the text tells an operator why."""


@dataclass(frozen=True, slots=True)
class Durable:
    """A reactor's place in the Chronicle. Its name is never changed: it would start over."""

    name: str
    category: Category
    ack_wait_seconds: int = 5
    """For how long a reactor that dies leaves its messages; a slow one says that it's at it."""
    max_ack_pending: int = 256

    @property
    def config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "durable_name": self.name,
            "filter_subject": category_filter(self.category),
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": self.ack_wait_seconds * _SECOND,
            "max_ack_pending": self.max_ack_pending,
            "max_deliver": -1,
        }


DURABLES = (
    # A debate waits for its draw, which comes out the same however often it is made.
    Durable("allocator", "topic", ack_wait_seconds=1),
    Durable("announcer", "topic"),
    # What waits for a slow guild counts as pending, and mustn't shut out the others.
    Durable("announcer_deliveries", "delivery", max_ack_pending=5000),
)

# What makes the Chronicle one: an existing stream without it may have lost events already, and
# it is for a person to say what is to become of it.
_GUARANTEES: Mapping[str, Any] = {
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "deny_delete": True,
    "deny_purge": True,
    "allow_rollup_hdrs": False,
    "allow_msg_schedules": False,
    "allow_msg_ttl": False,
    "no_ack": False,
    "sealed": False,
    "mirror": None,
    "sources": None,
    "subject_transform": None,
}

# What can be put right in passing.
_FEATURES: Mapping[str, Any] = {
    "subjects": ["chronicle.>"],
    "allow_direct": True,
    "allow_atomic": True,
    "max_msg_size": -1,
    "duplicate_window": _DUPLICATE_WINDOW,
}

# `nats server check stream` reads its thresholds here.
_METADATA = {
    "io.nats.monitor.enabled": "1",
    "io.nats.monitor.lag-critical": "1000",
    "io.nats.monitor.seen-critical": "5m",
}

_DEAD: Mapping[str, Any] = {
    "subjects": ["dead.>"],
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "allow_direct": True,
}

_DEFAULTS: Mapping[str, Any] = {
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "mirror": None,
    "sources": None,
    "subject_transform": None,
}
"""What a stream has where its answer leaves a setting out; the others are False."""


@dataclass(frozen=True, slots=True)
class ProvisionReport:
    """What was done. `sync`: whether the server puts each event on disk before it answers."""

    server_version: str
    sync: SyncPolicy
    created: tuple[str, ...]
    updated: tuple[str, ...]

    def __str__(self) -> str:
        done = [f"created {name}" for name in self.created]
        done += [f"updated {name}" for name in self.updated]
        return (
            f"NATS {self.server_version}, sync {self.sync}: "
            + (", ".join(done) or "everything is there")
            + "."
        )


async def provision(nats_url: str, monitor_url: str | None = None) -> ProvisionReport:
    """Create what is missing and correct what differs. Raises ProvisionError."""
    async with _connected(nats_url) as connection:
        try:
            version = _checked_version(connection)
            sync = await sync_policy(monitor_url)
            if sync is SyncPolicy.WEAKER:
                raise ProvisionError(_WEAK_SYNC)
            work = _Work(connection)
            await work.stream(CHRONICLE, {**_GUARANTEES, **_FEATURES}, guaranteed=_GUARANTEES)
            await work.stream(DEAD, _DEAD, guaranteed={})
            for durable in DURABLES:
                await work.durable(durable)
        except JetStreamError as error:
            raise ProvisionError(f"NATS refuses: {error}") from error
        except LostAnswerError as error:
            raise ProvisionError(
                f"JetStream doesn't answer ({connection.refusals.reason or error}): is it enabled,"
                " and allowed for this user?"
            ) from error
        return ProvisionReport(version, sync, tuple(work.created), tuple(work.updated))


async def check_chronicle(
    connection: NatsConnection,
    monitor_url: str | None = None,
    *,
    appends: Sequence[Category | StreamName] = (),
) -> list[str]:
    """Return why the Chronicle can't be relied on, a line each; none when it can.

    `appends`: what this process's user has to be allowed to append to. That the sync policy isn't
    known is no problem: ask `sync_policy` for it.
    """
    try:
        await _try_to_append(connection, [_some_stream(of).subject for of in appends])
        info = await ask(connection, f"STREAM.INFO.{CHRONICLE}", timeout=_CHECK_SECONDS)
    except JetStreamError as error:
        if error.code == NOT_FOUND:
            return [f"There is no stream {CHRONICLE}: run `moot provision`."]
        return [f"NATS refuses: {error}"]
    except LostAnswerError as error:
        return [connection.refusals.reason or f"NATS doesn't answer: {error}"]
    config = info["config"]
    needed = {**_GUARANTEES, "allow_direct": True, "allow_atomic": True}
    problems = [f"{CHRONICLE}: {line}" for line in _differences(config, needed)]
    if (refused := connection.refusals.reason) is not None:
        problems.append(refused)
    if 0 <= config.get("max_msg_size", -1) < MAX_MESSAGE_BYTES:
        problems.append(f"{CHRONICLE}: max_msg_size is below {MAX_MESSAGE_BYTES}")
    if await sync_policy(monitor_url) is SyncPolicy.WEAKER:
        problems.append(_WEAK_SYNC)
    if (stuck := await write_problem(monitor_url)) is not None:
        problems.append(f"NATS stores nothing until it is started again: {stuck}")
    return problems


async def chronicle_problem(
    connection: NatsConnection,
    monitor_url: str | None,
    *,
    appends: Sequence[Category | StreamName] = (),
) -> str | None:
    """As `check_chronicle`, in the one line that readiness shows; None when all is well."""
    return "; ".join(await check_chronicle(connection, monitor_url, appends=appends)) or None


async def _try_to_append(connection: NatsConnection, subjects: Sequence[str]) -> None:
    """Send what the stream won't take: a refusal comes before the answer to the next question."""
    connection.refusals.forget(subjects)
    for subject in subjects:
        await connection.publish(subject, b"", headers=_NEVER_STORED)


def _some_stream(of: Category | StreamName) -> StreamName:
    return of if isinstance(of, StreamName) else StreamName(of, "tried")


_WEAK_SYNC = (
    "The NATS server answers before events are on disk: a power cut would lose accepted commands."
    " Set `sync_interval: always` in its `jetstream` block."
)


class _Work:
    """One run of `provision`, with what it did."""

    def __init__(self, connection: NatsConnection) -> None:
        self.created: list[str] = []
        self.updated: list[str] = []
        self._connection = connection

    async def stream(
        self, name: str, wanted: Mapping[str, Any], *, guaranteed: Mapping[str, Any]
    ) -> None:
        found = await self._found(f"STREAM.INFO.{name}")
        if found is None:
            config = {"name": name, "metadata": _METADATA, **wanted}
            found = await ask(self._connection, f"STREAM.CREATE.{name}", config)
            self.created.append(name)
        existing = found["config"]
        weaker = _differences(existing, guaranteed)
        if weaker:
            raise ProvisionError(
                f"The stream {name} exists with weaker settings than Moot needs: "
                + "; ".join(weaker)
                + ". Change them by hand, or give Moot a NATS of its own."
            )
        metadata: Mapping[str, str] = existing.get("metadata") or {}
        # JetStream's own restore makes a stream anew: whose copy it is has to be said in it.
        needed = {**metadata, **_METADATA, CREATED: metadata.get(CREATED, found["created"])}
        if _differences(existing, wanted) or metadata != needed:
            config = existing | dict(wanted) | {"metadata": needed}
            await ask(self._connection, f"STREAM.UPDATE.{name}", config)
            if name not in self.created:
                self.updated.append(name)

    async def durable(self, durable: Durable) -> None:
        found = await self._found(f"CONSUMER.INFO.{CHRONICLE}.{durable.name}")
        existing: dict[str, Any] | None = None if found is None else found["config"]
        if existing is not None and not _differences(existing, durable.config):
            return
        config = (existing or {}) | durable.config
        await ask(
            self._connection,
            f"CONSUMER.CREATE.{CHRONICLE}.{durable.name}.{durable.config['filter_subject']}",
            {"stream_name": CHRONICLE, "config": config},
        )
        (self.created if existing is None else self.updated).append(durable.name)

    async def _found(self, request: str) -> dict[str, Any] | None:
        try:
            return await ask(self._connection, request)
        except JetStreamError as error:
            if error.code == NOT_FOUND:
                return None
            raise


def _differences(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return "setting is x, must be y" for each setting that isn't as wanted."""
    found = {name: config.get(name, _DEFAULTS.get(name, False)) for name in wanted}
    return [
        f"{name} is {_shown(found[name])}, must be {_shown(value)}"
        for name, value in wanted.items()
        if found[name] != value
    ]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def _checked_version(connection: NatsConnection) -> str:
    version = str(connection.client.connected_server_version)
    found = re.search(r"(\d+)\.(\d+)\.\d+", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise ProvisionError(f"The NATS server is {version}; Moot needs {oldest} or newer.")
    return found[0]


@asynccontextmanager
async def _connected(nats_url: str) -> AsyncGenerator[NatsConnection]:
    connection = NatsConnection()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await connection.open(nats_url, name="moot-provision")
    except TimeoutError as error:
        await connection.close()
        raise ProvisionError(
            f"No NATS server answered within {_CONNECT_SECONDS:.0f} s: {connection.absence}."
            " Is NATS_URL right, and the server running?"
        ) from error
    try:
        yield connection
    finally:
        await connection.close()
