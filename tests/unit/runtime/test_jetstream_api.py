"""What JetStream says of a message in its reply subject is read to the microsecond."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from moot.runtime.jetstream_api import delivered
from moot.runtime.nats_frames import Frame

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 2**63 - 1
"""The last nanosecond that a server can say, in 2262."""


@given(nanoseconds=st.integers(0, LAST))
def test_a_message_says_when_it_was_stored(nanoseconds: int) -> None:
    reply = b"$JS.ACK.CHRONICLE.follow.1.%d.%d.%d.%d" % (7, 3, nanoseconds, 2)
    headers = b"NATS/1.0\r\nOther: 1\r\nNats-Msg-Id: abc\r\n\r\n"
    stored, number, pending = delivered(Frame(b"chronicle.topic.a", reply, headers, b"{}"))
    assert stored.stored_at == EPOCH + timedelta(microseconds=nanoseconds // 1000)
    assert (stored.position, stored.id, number, pending) == (7, "abc", 3, 2)
