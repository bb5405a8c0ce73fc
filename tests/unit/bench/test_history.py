"""What benchmarks run on must be what could have happened."""

import json
from functools import reduce

from bench.history import DEBATES_AT_ONCE, written
from moot.contracts.envelope import Envelope
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import TopicCreated, TopicEvent, VerdictSubmitted
from moot.domain import topic
from moot.domain.topic_stages import Completed

EVENTS = 8_000


def test_every_debate_goes_from_its_proposal_to_its_verdict() -> None:
    streams: dict[StreamName, list[TopicEvent]] = {}
    for stream, event_id, body in written(EVENTS):
        envelope = Envelope.from_bytes(stream, body)
        assert (envelope.id, envelope.stream) == (event_id, stream)
        if isinstance(envelope.event, TopicEvent):
            streams.setdefault(stream, []).append(envelope.event)

    finished = [events for events in streams.values() if isinstance(events[-1], VerdictSubmitted)]

    assert len(streams) > DEBATES_AT_ONCE
    assert all(isinstance(events[0], TopicCreated) for events in streams.values())
    assert finished
    for events in finished:
        assert isinstance(reduce(topic.evolve, events, topic.initial), Completed)


def test_no_two_events_share_an_id() -> None:
    ids = [json.loads(body)["id"] for _, _, body in written(EVENTS)]

    assert len(set(ids)) == EVENTS


def test_the_same_history_is_written_every_time() -> None:
    assert list(written(500)) == list(written(500))
