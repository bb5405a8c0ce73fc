from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.client.event_stream import EventStream, Message


def read(*chunks: bytes) -> list[Message]:
    stream = EventStream()
    return [message for chunk in chunks for message in stream.feed(chunk)]


@pytest.mark.parametrize(
    ("sent", "messages"),
    [
        (b"data: a\n\n", [Message("message", "a", "")]),
        (b"event: e\nid: 7\ndata: a\n\n", [Message("e", "a", "7")]),
        (b"data:a\ndata:  b\n\n", [Message("message", "a\n b", "")]),
        (b"data\n\n", [Message("message", "", "")]),
        (b": ping\n\ndata: a\n\n", [Message("message", "a", "")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [Message("message", t, "") for t in "abc"]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Message("message", t, "1") for t in "ab"]),
        (b"id: 1\n\ndata: b\n\n", [Message("message", "b", "1")]),
        (b"id: 1\nid\ndata: b\n\n", [Message("message", "b", "")]),
        (b"id: 1\nid: 2\x00\ndata: a\n\n", [Message("message", "a", "1")]),
        (b"event: gone\n\ndata: a\n\n", [Message("message", "a", "")]),
        (b"other: x\nDATA: x\ndata: a:b\n\n", [Message("message", "a:b", "")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Message("message", "a", "")]),
        (b"data: \xff\n\n", [Message("message", "�", "")]),
        (b"data: cut off", []),
        (b"data: cut off\n", []),
    ],
)  # fmt: skip
def test_messages_are_what_the_standard_says(sent: bytes, messages: Sequence[Message]) -> None:
    assert read(sent) == messages


def test_where_to_go_on_is_known_once_a_block_is_complete() -> None:
    stream = EventStream()
    assert list(stream.feed(b"id: 4\n\nid: 5\ndata: a\n")) == []
    assert stream.last_id == "4"


def test_the_time_to_wait_is_a_number_or_nothing() -> None:
    stream = EventStream()
    assert list(stream.feed(b"retry: 2500\n\nretry: soon\n\nretry: -1\n\n")) == []
    assert stream.retry_ms == 2500


@given(
    st.lists(
        st.sampled_from((b"data: \xc3\xa9", b"event: e", b"id: 3", b": x", b"\n", b"\r", b"\r\n")),
        max_size=30,
    ),
    st.data(),
)
def test_it_matters_to_nobody_where_the_bytes_are_cut(
    lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(lines) + b"\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(*pieces) == read(whole)
