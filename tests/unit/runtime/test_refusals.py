"""What counts as refused by NATS, and for how long."""

from moot.runtime.refusals import LASTS_SECONDS, Refusals

PUBLISH = Exception('nats: permissions violation for publish to "chronicle.topic.tried"')
SUBSCRIBE = Exception('nats: permissions violation for subscription to "_inbox_api.>"')


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_refused_is_told_until_it_could_have_been_tried_again() -> None:
    clock = Clock()
    refusals = Refusals(clock)

    assert refusals.note(PUBLISH)
    assert refusals.note(SUBSCRIBE)
    both = "publish to chronicle.topic.tried, subscription to _inbox_api.>"
    assert refusals.reason == f"NATS refuses this user: {both}"

    clock.now = LASTS_SECONDS
    # A subscription isn't tried again on the same connection.
    assert refusals.reason == "NATS refuses this user: subscription to _inbox_api.>"
    refusals.forget()
    assert refusals.reason is None


def test_what_is_tried_anew_is_forgotten_and_nothing_else() -> None:
    refusals = Refusals()
    refusals.note(PUBLISH)
    refusals.note(SUBSCRIBE)

    refusals.forget(["chronicle.topic.TRIED", "_inbox_api.>"])

    assert refusals.reason == "NATS refuses this user: subscription to _inbox_api.>"


def test_many_are_counted() -> None:
    refusals = Refusals()
    for number in range(7):
        refusals.note(Exception(f'Permissions Violation for Publish to "some.{number}"'))

    assert refusals.reason is not None
    assert refusals.reason.endswith("publish to some.2 and 4 more")


def test_other_errors_refuse_nothing() -> None:
    refusals = Refusals()

    assert not refusals.note(Exception("nats: 'Authorization Violation'"))
    assert refusals.reason is None
