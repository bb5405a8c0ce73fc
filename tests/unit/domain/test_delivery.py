"""A delivery queue: what is requested, tried again, given up; every command decided twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce

import pytest

from moot.contracts.debates import ADMIN, Caller
from moot.contracts.deliveries import (
    Announcement,
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryCommand,
    DeliveryDue,
    DeliveryEvent,
    DeliveryPostponed,
    DeliveryRequested,
    DeliveryRetried,
    FabricChannel,
    MakeDeliveryDue,
    PostponeDelivery,
    RecordAttempt,
    RequestDelivery,
    RetryDelivery,
)
from moot.contracts.ids import EventId, Position, TopicId, derived_id
from moot.domain import delivery
from moot.domain.refusal import Refused
from tests.support.topics import MICROSECOND, NOON

ANNOUNCER = Caller.service("announcer")
TICKER = Caller.service("ticker")
FIRST, SECOND = EventId(derived_id("first")), EventId(derived_id("second"))
ENDPOINT = FabricChannel(guild_base_url="https://guild.example", channel_id="news")
HOUR = timedelta(hours=1)


def request(event_id: EventId = FIRST) -> RequestDelivery:
    return RequestDelivery(
        by=ANNOUNCER,
        endpoint=ENDPOINT,
        announcement=Announcement(
            event_id=event_id,
            event_type="moot.topic.signup_opened.v1",
            topic_id=TopicId(derived_id("topic")),
            position=Position(2),
            content="Sign-up is open.",
            metadata={},
        ),
    )


def record(
    status: int | None,
    *,
    number: int = 1,
    event_id: EventId = FIRST,
    luck: float = 0.5,
    retry_after_s: float | None = None,
    give_up_after: timedelta = 24 * HOUR,
) -> RecordAttempt:
    return RecordAttempt(
        by=ANNOUNCER,
        event_id=event_id,
        attempt=Attempt(
            attempt=number,
            status=status,
            error=None if status else "timeout",
            answer="",
            duration_ms=10,
            attempted_at=NOON,
        ),
        retry_after_s=retry_after_s,
        luck=luck,
        give_up_after=give_up_after,
    )


def due(event_id: EventId = FIRST) -> MakeDeliveryDue:
    return MakeDeliveryDue(by=TICKER, event_id=event_id)


@dataclass(frozen=True)
class Given:
    history: tuple[DeliveryEvent, ...] = ()

    @property
    def state(self) -> delivery.Queue:
        return reduce(delivery.evolve, self.history, delivery.initial)

    def decide(
        self, command: DeliveryCommand, after: timedelta = timedelta(0)
    ) -> list[DeliveryEvent] | Refused:
        return delivery.decide(self.state, command, NOON + after)

    def when(self, command: DeliveryCommand, after: timedelta = timedelta(0)) -> "Given":
        decision = self.decide(command, after)
        assert not isinstance(decision, Refused), decision
        return Given((*self.history, *decision))

    def refuses(self, command: DeliveryCommand, after: timedelta = timedelta(0)) -> str:
        decision = self.decide(command, after)
        assert isinstance(decision, Refused), decision
        return decision.code


def given(*commands: DeliveryCommand) -> Given:
    return reduce(Given.when, commands, Given())


def only(decision: Sequence[DeliveryEvent] | Refused) -> DeliveryEvent:
    assert not isinstance(decision, Refused), decision
    (event,) = decision
    return event


def next_attempt(decision: Sequence[DeliveryEvent] | Refused) -> timedelta:
    event = only(decision)
    assert isinstance(event, DeliveryAttempted)
    return event.next_attempt_at - NOON


def test_a_request_is_a_fact_once_by_its_event() -> None:
    requested = given(request())
    assert requested.history == (
        DeliveryRequested(
            endpoint=ENDPOINT, announcement=request().announcement, requested_at=NOON
        ),
    )
    assert requested.decide(request()) == []
    assert requested.when(record(200)).decide(request()) == []


def test_the_oldest_open_request_is_ready_and_the_next_one_after_it() -> None:
    both = given(request(FIRST), request(SECOND))
    assert both.state.ready == both.state.open[FIRST]
    assert both.refuses(record(200, event_id=SECOND)) == "not-oldest"
    after = both.when(record(200))
    assert after.state.ready == after.state.open[SECOND]
    assert after.when(record(200, event_id=SECOND)).state.ready is None


def test_only_the_first_in_line_is_called_up_by_its_own_request() -> None:
    both = given(request(FIRST), request(SECOND))
    assert [one.first_in_line for one in both.state.open.values()] == [True, False]
    assert given(request(FIRST), record(200), request(SECOND)).state.open[SECOND].first_in_line


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert isinstance(only(given(request()).decide(record(status))), AnnouncementDelivered)


@pytest.mark.parametrize("status", [401, 403, 408, 409, 429, 500, 502, 503, 599, None])
def test_what_may_pass_is_tried_again(status: int | None) -> None:
    waiting = given(request(), record(status))
    assert isinstance(waiting.history[-1], DeliveryAttempted)
    assert waiting.state.ready is None


@pytest.mark.parametrize("status", [100, 301, 302, 308, 400, 404, 410, 413, 422, 418, 451])
def test_what_no_retry_mends_fails_at_once(status: int) -> None:
    event = only(given(request()).decide(record(status)))
    assert isinstance(event, AnnouncementFailed)
    assert str(status) in event.reason


def test_a_late_record_of_an_attempt_that_is_known_decides_nothing() -> None:
    assert given(request(), record(503)).decide(record(200)) == []
    assert given(request(), record(200)).decide(record(503)) == []
    assert given(request(), record(404)).decide(record(404)) == []


def test_an_attempt_that_skips_a_number_or_has_no_request_is_refused() -> None:
    assert given(request()).refuses(record(200, number=2)) == "attempt-out-of-order"
    assert given().refuses(record(200)) == "delivery-unknown"
    assert given().refuses(due()) == "delivery-unknown"


def test_an_attempt_is_made_due_at_its_time_and_no_sooner() -> None:
    waiting = given(request(), record(503, luck=0.5))
    wait = delivery.FIRST_DELAY / 2
    assert waiting.refuses(due(), wait - MICROSECOND) == "not-due"
    event = only(waiting.decide(due(), wait))
    assert event == DeliveryDue(event_id=FIRST, due_at=NOON + wait, fired_at=NOON + wait)
    ready = waiting.when(due(), wait)
    assert ready.state.ready is not None
    assert ready.decide(due(), wait) == []
    assert ready.when(record(200, number=2), wait).decide(due(), wait) == []


def test_waits_double_with_full_jitter_up_to_a_cap() -> None:
    almost = 1 - 2**-53
    assert delivery.retry_delay(1, 0.0, None) == timedelta(0)
    assert delivery.retry_delay(1, almost, None) <= delivery.FIRST_DELAY
    assert delivery.retry_delay(3, 0.5, None) == delivery.FIRST_DELAY * 2
    assert delivery.retry_delay(1000, 0.5, None) == delivery.LONGEST_DELAY / 2


def test_the_receiver_is_never_asked_sooner_than_it_said() -> None:
    told = given(request()).decide(record(429, luck=0.0, retry_after_s=7200))
    assert next_attempt(told) == 2 * HOUR
    jitter = given(request()).decide(record(429, luck=0.5, retry_after_s=0))
    assert next_attempt(jitter) == delivery.FIRST_DELAY / 2


def test_after_a_day_it_is_given_up() -> None:
    opened = given(request())
    last = opened.decide(record(503, luck=0.0), 24 * HOUR)
    assert isinstance(only(last), DeliveryAttempted)
    over = opened.decide(record(503, luck=0.0), 24 * HOUR + MICROSECOND)
    assert isinstance(only(over), AnnouncementFailed)
    beyond = opened.decide(record(503, retry_after_s=1e9))
    assert isinstance(only(beyond), AnnouncementFailed)
    sooner = opened.decide(record(503, retry_after_s=61, give_up_after=timedelta(minutes=1)))
    assert isinstance(only(sooner), AnnouncementFailed)


def postpone(delay: timedelta, event_id: EventId = FIRST) -> PostponeDelivery:
    return PostponeDelivery(by=ANNOUNCER, event_id=event_id, reason="busy", delay=delay)


def retry(event_id: EventId = FIRST, by: Caller = ADMIN) -> RetryDelivery:
    return RetryDelivery(by=by, event_id=event_id, reason="the channel is back")


def test_what_is_postponed_waits_without_having_been_attempted() -> None:
    waiting = given(request(), postpone(HOUR))
    assert waiting.state.ready is None
    assert waiting.refuses(due(), HOUR - MICROSECOND) == "not-due"
    assert waiting.decide(postpone(2 * HOUR)) == []
    ready = waiting.when(due(), HOUR)
    assert ready.state.ready is not None
    assert isinstance(only(ready.decide(record(200, number=1), HOUR)), AnnouncementDelivered)


def test_what_is_postponed_for_too_long_is_given_up() -> None:
    event = only(given(request()).decide(postpone(HOUR), 23 * HOUR + MICROSECOND))
    assert isinstance(event, AnnouncementFailed)
    assert (event.attempt.attempt, event.attempt.error) == (0, "busy")
    assert isinstance(only(given(request()).decide(postpone(HOUR), 23 * HOUR)), DeliveryPostponed)


def test_only_the_oldest_is_postponed_and_only_what_was_requested() -> None:
    both = given(request(FIRST), request(SECOND))
    assert both.refuses(postpone(HOUR, SECOND)) == "not-oldest"
    assert given().refuses(postpone(HOUR)) == "delivery-unknown"
    assert given(request(), record(200)).decide(postpone(HOUR)) == []


def test_what_was_given_up_is_retried_with_the_same_key_at_the_end_of_its_queue() -> None:
    failed = given(request(FIRST), record(503, luck=0.0), due(), record(404, number=2))
    again = failed.when(request(SECOND)).when(retry(), HOUR)
    assert isinstance(again.history[-1], DeliveryRetried)
    assert list(again.state.open) == [SECOND, FIRST]
    reopened = again.when(record(200, event_id=SECOND)).state.ready
    assert reopened is not None
    assert reopened.announcement == request(FIRST).announcement
    assert (reopened.attempts, reopened.requested_at) == (2, NOON + HOUR)
    assert again.decide(retry()) == []


def test_what_was_given_up_twice_can_be_retried_twice() -> None:
    twice = given(request(), record(404), retry(), record(404, number=2), retry())
    assert twice.state.ready == twice.state.open[FIRST]
    assert twice.when(record(200, number=3)).state.delivered == {FIRST}


def test_only_an_admin_retries_and_only_what_failed() -> None:
    failed = given(request(), record(404))
    assert failed.refuses(retry(by=ANNOUNCER)) == "not-admin"
    assert given(request()).decide(retry()) == []
    assert given(request(), record(200)).refuses(retry()) == "already-delivered"
    assert given().refuses(retry()) == "delivery-unknown"


def test_an_attempt_that_is_hopeless_is_the_last() -> None:
    hopeless = record(None).model_copy(update={"hopeless": "the webhook was removed"})
    event = only(given(request()).decide(hopeless))
    assert isinstance(event, AnnouncementFailed)
    assert event.reason == "the webhook was removed"
    landed = record(200).model_copy(update={"hopeless": "never mind"})
    assert isinstance(only(given(request()).decide(landed)), AnnouncementDelivered)
