"""A receiver, and an announcer that tells it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.announcing import Announcing, Webhooking
from tests.support.debates import Debates
from tests.support.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def announcing(nats_url: str, receiver: Receiver, debates: Debates) -> Announcing:
    return Announcing(nats_url, receiver, debates)


@pytest.fixture
def webhooking(announcing: Announcing) -> Webhooking:
    return Webhooking(announcing)
