"""Which webhooks there are, what they want, what signs for them; every command decided twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce

import pytest
from pydantic import ValidationError

from moot.contracts.debates import ADMIN, Caller, Visibility
from moot.contracts.ids import TopicId, WebhookId, derived_id
from moot.contracts.webhooks import (
    ChangeWebhook,
    DisableGoneWebhook,
    RegisterWebhook,
    RemoveWebhook,
    RotateWebhookSecret,
    SecretVersion,
    WebhookChanged,
    WebhookCommand,
    WebhookDisabled,
    WebhookEnabled,
    WebhookEvent,
    WebhookTerms,
)
from moot.domain import webhooks
from moot.domain.refusal import Refused
from tests.support.topics import MICROSECOND, NOON

ANNOUNCER = Caller.service("announcer")
HOOK = WebhookId(derived_id("webhook"))
TOPIC, OTHER = TopicId(derived_id("topic")), TopicId(derived_id("other"))
OPENED, VERDICT = "moot.topic.signup_opened.v1", "moot.topic.verdict_submitted.v1"
HOUR = timedelta(hours=1)
URL = "https://receiver.example/moot"


def terms(**changes: object) -> WebhookTerms:
    return WebhookTerms.model_validate({"url": URL} | changes)


def register(**changes: object) -> RegisterWebhook:
    return RegisterWebhook(by=ADMIN, webhook_id=HOOK, terms=terms(**changes), fingerprint="f1")


def rotate(version: int = 2, overlap: timedelta = HOUR) -> RotateWebhookSecret:
    secret = SecretVersion(version=version, fingerprint=f"f{version}")
    return RotateWebhookSecret(by=ADMIN, webhook_id=HOOK, secret=secret, overlap=overlap)


def switch(*, on: bool) -> ChangeWebhook:
    return ChangeWebhook(by=ADMIN, webhook_id=HOOK, enabled=on, reason="" if on else "too loud")


GONE = DisableGoneWebhook(by=ANNOUNCER, webhook_id=HOOK, url=URL)
REMOVE = RemoveWebhook(by=ADMIN, webhook_id=HOOK)


@dataclass(frozen=True)
class Given:
    history: tuple[WebhookEvent, ...] = ()

    @property
    def state(self) -> webhooks.Webhooks:
        return reduce(webhooks.evolve, self.history, webhooks.initial)

    @property
    def hook(self) -> webhooks.Webhook:
        return self.state.by_id[HOOK]

    def decide(
        self, command: WebhookCommand, after: timedelta = timedelta(0)
    ) -> Sequence[WebhookEvent] | Refused:
        return webhooks.decide(self.state, command, NOON + after)

    def when(self, command: WebhookCommand, after: timedelta = timedelta(0)) -> "Given":
        decision = self.decide(command, after)
        assert not isinstance(decision, Refused), decision
        return Given((*self.history, *decision))

    def refuses(self, command: WebhookCommand) -> str:
        decision = self.decide(command)
        assert isinstance(decision, Refused), decision
        return decision.code


def given(*commands: WebhookCommand) -> Given:
    return reduce(Given.when, commands, Given())


@pytest.mark.parametrize(
    "command",
    [
        register(),
        ChangeWebhook(by=ADMIN, webhook_id=HOOK, terms=terms(include_private=True)),
        switch(on=False),
        rotate(),
        GONE,
        REMOVE,
    ],
    ids=lambda command: command.name,
)
def test_what_is_decided_twice_is_decided_once(command: WebhookCommand) -> None:
    before = given() if isinstance(command, RegisterWebhook) else given(register())
    once = before.when(command)
    assert len(once.history) == len(before.history) + 1
    assert once.decide(command) == []


@pytest.mark.parametrize(
    "command", [switch(on=True), rotate(), REMOVE], ids=lambda command: command.name
)
def test_there_is_nothing_to_do_to_a_webhook_that_is_not_there(command: WebhookCommand) -> None:
    assert given().refuses(command) == "webhook-not-found"
    assert given().decide(GONE) == []


def test_a_webhook_that_was_removed_does_not_come_back() -> None:
    removed = given(register(), REMOVE)
    assert removed.state.by_id == {}
    assert removed.refuses(register()) == "webhook-removed"


@pytest.mark.parametrize(
    "command", [register(), switch(on=False), rotate(), REMOVE], ids=lambda command: command.name
)
def test_only_admins_deal_with_webhooks(command: WebhookCommand) -> None:
    by_agent = command.model_copy(update={"by": Caller.agent("ann")})
    assert given(register()).refuses(by_agent) == "not-admin"


def test_only_the_announcer_says_that_a_receiver_is_gone() -> None:
    by_admin = GONE.model_copy(update={"by": ADMIN})
    assert given(register()).refuses(by_admin) == "not-a-service"


def test_a_receiver_that_is_gone_disables_the_webhook_unless_it_has_moved() -> None:
    gone = given(register(), GONE)
    assert isinstance(gone.history[-1], WebhookDisabled)
    assert gone.hook.disabled_because == "the receiver answered 410 Gone"
    elsewhere = terms(url="https://elsewhere.example")
    moved = given(register(), ChangeWebhook(by=ADMIN, webhook_id=HOOK, terms=elsewhere))
    assert moved.decide(GONE) == []


def test_new_terms_and_a_switch_come_together() -> None:
    changed = given(register(), GONE).when(
        ChangeWebhook(by=ADMIN, webhook_id=HOOK, terms=terms(signing=("v1a",)), enabled=True)
    )
    assert [type(event) for event in changed.history[-2:]] == [WebhookChanged, WebhookEnabled]
    assert changed.hook.disabled_because is None
    assert changed.hook.terms.signing == ("v1a",)


def test_an_old_secret_signs_until_its_overlap_is_over() -> None:
    rotated = given(register(), rotate(2, HOUR))
    versions = [s.version for s in rotated.hook.secrets_at(NOON + HOUR - MICROSECOND)]
    assert versions == [2, 1]
    assert [s.version for s in rotated.hook.secrets_at(NOON + HOUR)] == [2]
    again = rotated.when(rotate(3, 2 * HOUR), HOUR / 2)
    assert [s.version for s in again.hook.secrets_at(NOON + HOUR / 2)] == [3, 2, 1]
    later = again.when(rotate(4, timedelta(0)), HOUR)
    assert [s.version for s in later.hook.secrets_at(NOON + HOUR)] == [4, 2]


def test_a_rotation_takes_the_next_version_and_has_its_bounds() -> None:
    registered = given(register())
    assert registered.refuses(rotate(3)) == "another-version"
    assert registered.refuses(rotate(2, timedelta(days=31))) == "overlap-out-of-bounds"
    assert registered.refuses(rotate(2, timedelta(seconds=-1))) == "overlap-out-of-bounds"
    many = given(register(), *(rotate(version) for version in range(2, 6)))
    assert len(many.hook.secrets_at(NOON)) == webhooks.MOST_SECRETS
    assert many.refuses(rotate(6)) == "too-many-secrets"
    assert many.when(rotate(6, timedelta(0))).hook.secret.version == 6


def wants(hook: webhooks.Webhook, event_type: str, topic: TopicId, visibility: str) -> bool:
    return hook.wants(event_type, topic, Visibility(visibility))


def test_a_webhook_is_sent_what_it_asked_for() -> None:
    every = given(register()).hook
    assert wants(every, OPENED, TOPIC, "public")
    assert not wants(every, OPENED, TOPIC, "private")
    verdicts = given(register(event_types=(VERDICT,))).hook
    assert wants(verdicts, VERDICT, TOPIC, "public")
    assert not wants(verdicts, OPENED, TOPIC, "public")


def test_private_topics_are_for_webhooks_that_name_them_or_ask_for_all() -> None:
    assert wants(given(register(include_private=True)).hook, OPENED, TOPIC, "private")
    one = given(register(topic_id=TOPIC)).hook
    assert wants(one, OPENED, TOPIC, "private")
    assert not wants(one, OPENED, OTHER, "public")


def test_a_disabled_webhook_wants_nothing() -> None:
    assert not wants(given(register(), switch(on=False)).hook, OPENED, TOPIC, "public")


@pytest.mark.parametrize(
    "url",
    [
        "receiver.example",
        "ftp://receiver.example/",
        "https://",
        "https://user:secret@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example/a b",
        "https://r\u00e9ceiver.example/",
        "https://receiver.example/" + "x" * 2048,
        "file:///etc/passwd",
    ],
)
def test_a_url_that_is_none_for_a_webhook_is_said_to_be_wrong(url: str) -> None:
    with pytest.raises(ValidationError):
        terms(url=url)


def test_event_types_that_are_not_announced_are_said_to_be_wrong() -> None:
    with pytest.raises(ValidationError):
        terms(event_types=("moot.topic.signed_up.v1",))
    with pytest.raises(ValidationError):
        terms(signing=())
