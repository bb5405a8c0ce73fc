import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from nats.errors import Error as NatsError

from moot.runtime import nats_connection
from moot.runtime.nats_connection import LostAnswerError, NatsConnection, connect
from moot.runtime.nats_frames import FrameClient

Tell = Callable[[Exception], Awaitable[None]]
VIOLATION = NatsError("nats: 'Authorization Violation'")


class Settings:
    nats_url = "nats://nobody.invalid"


class Forgetful(FrameClient):
    """Forgets that it was cancelled, once, as `wait_for` may before Python 3.12."""

    cancelled = 0

    async def connect(self, *_: object, **__: object) -> None:
        while Forgetful.cancelled < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                Forgetful.cancelled += 1
        raise asyncio.CancelledError

    async def close(self) -> None:
        pass


class Refused(FrameClient):
    """Isn't let in, again and again: as the server says, or by a hang-up before that is read."""

    errors: Sequence[Exception] = ()

    async def connect(self, *_: object, error_cb: Tell | None = None, **__: object) -> None:
        for error in self.errors:
            assert error_cb is not None
            await error_cb(error)
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_connection, "CONNECT_SECONDS", 0.01)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_connection, "FrameClient", Forgetful)
    monkeypatch.setattr(Forgetful, "cancelled", 0)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([VIOLATION, ConnectionResetError(104, "reset")], "Authorization Violation"),
        ([VIOLATION, BrokenPipeError(32, "broken")], "Authorization Violation"),
        ([ConnectionResetError(104, "reset"), VIOLATION], "Authorization Violation"),
        ([VIOLATION, ConnectionRefusedError(111, "refused")], "refused"),
        ([ConnectionResetError(104, "reset")], "reset"),
    ],
)
async def test_a_hang_up_does_not_hide_what_the_server_said(
    monkeypatch: pytest.MonkeyPatch, errors: Sequence[Exception], told: str
) -> None:
    monkeypatch.setattr(Refused, "errors", errors)
    monkeypatch.setattr(nats_connection, "FrameClient", Refused)
    with pytest.raises(LostAnswerError, match=told):
        await connect(Settings())


@pytest.mark.usefixtures("forgetful")
async def test_who_cannot_connect_is_told_in_time_when_a_cancellation_is_forgotten() -> None:
    async with asyncio.timeout(5.0):
        with pytest.raises(LostAnswerError, match="not connected to NATS"):
            await connect(Settings())


@pytest.mark.usefixtures("forgetful")
async def test_who_is_stopped_while_connecting_stops_when_a_cancellation_is_forgotten() -> None:
    opening = asyncio.create_task(NatsConnection().open(Settings.nats_url, name="a service"))
    done, _ = await asyncio.wait({opening}, timeout=0.01)
    assert not done

    opening.cancel()
    done, _ = await asyncio.wait({opening}, timeout=5.0)

    assert done == {opening}
    assert opening.cancelled()
