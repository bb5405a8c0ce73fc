import asyncio

import pytest

from moot.runtime import nats_connection
from moot.runtime.nats_connection import LostAnswerError, NatsConnection, connect
from moot.runtime.nats_frames import FrameClient


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


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_connection, "FrameClient", Forgetful)
    monkeypatch.setattr(nats_connection, "CONNECT_SECONDS", 0.01)
    monkeypatch.setattr(Forgetful, "cancelled", 0)


async def test_who_cannot_connect_is_told_in_time_when_a_cancellation_is_forgotten() -> None:
    async with asyncio.timeout(5.0):
        with pytest.raises(LostAnswerError, match="not connected to NATS"):
            await connect(Settings())


async def test_who_is_stopped_while_connecting_stops_when_a_cancellation_is_forgotten() -> None:
    opening = asyncio.create_task(NatsConnection().open(Settings.nats_url, name="a service"))
    done, _ = await asyncio.wait({opening}, timeout=0.01)
    assert not done

    opening.cancel()
    done, _ = await asyncio.wait({opening}, timeout=5.0)

    assert done == {opening}
    assert opening.cancelled()
