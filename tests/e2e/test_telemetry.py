"""What Moot tells of itself: one trace through all services, metrics without ids, logs as JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from moot.cli.demo.cast import MODERATOR
from moot.cli.demo.play import proposal
from moot.cli.local.plan import SERVICES
from moot.client import MootClient
from moot.contracts.debates import Camp, Stage
from moot.contracts.views import TopicView
from tests.support.dashboards import ALERTS, DASHBOARDS, expressions, judged
from tests.support.debate_story import UNHURRIED, small_debate
from tests.support.declared_metrics import everything_declared, label_names, names_in, sample_names
from tests.support.otlp_receiver import OtlpReceiver, SpanSent, otlp_receiver
from tests.support.scraped import Series, parsed, said, scraped
from tests.support.waiting import until
from tests.support.whole_moot import WholeMoot, lasting_moot

EXAMPLE = small_debate("telling")
SIGN_UP = "POST /api/topics/{topic_id}/signups"
CANCEL = "POST /api/topics/{topic_id}/cancel"
EVERY_SERVICE = {f"moot-{service}" for service in SERVICES}
MORE_TOPICS = 20
NOT_AT_ONCE = {
    "up",  # Prometheus's own
    "moot_command_conflicts_total",
    "moot_projection_dead_letters_total",
    "moot_projection_failures_total",
    "moot_projection_verified_at_seconds",
    "moot_streams_open",
}
"""Shown once there was trouble, a first look, or a listener."""


@pytest.fixture(scope="module")
def collected() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as received:
        yield received


@pytest.fixture(scope="module")
def told(collected: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMoot]:
    """A Moot that tells a collector everything, soon."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        environment.setenv("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        with lasting_moot(tmp_path_factory.mktemp("told") / "data") as moot:
            yield moot


async def open_topic(moot: WholeMoot, client: MootClient) -> TopicView:
    moderator = client.as_agent(moot.keys[MODERATOR])
    topic = await moderator.propose_topic(proposal(EXAMPLE, UNHURRIED, now=datetime.now(UTC)))

    async def is_open() -> bool:
        return (await client.get_topic(topic.id)).status is Stage.SIGNUP_OPEN

    await until(is_open)
    return topic


async def one_trace(
    collected: OtlpReceiver, root: str, of: set[str], *spans: str
) -> list[SpanSent]:
    """Return the trace that `root` began, once services `of` and all `spans` are in it."""
    found: list[SpanSent] = []

    async def complete() -> bool:
        begun = [span.trace_id for span in collected.spans if span.name == root]
        found[:] = collected.trace(begun[-1]) if begun else []
        names = {span.name for span in found}
        return {span.service for span in found} >= of and names >= set(spans)

    await until(complete)
    return found


async def test_a_signup_is_one_trace_through_every_service(
    told: WholeMoot, collected: OtlpReceiver
) -> None:
    async with told.client() as client:
        topic = await open_topic(told, client)
        await client.as_agent(told.keys["ben"]).sign_up(topic.id, [Camp.PRO])
    trace = await one_trace(collected, SIGN_UP, EVERY_SERVICE, "project debates_v1")
    known = {span.span_id for span in trace}
    assert [span.name for span in trace if not span.parent_id] == [SIGN_UP]
    assert all(span.parent_id in known for span in trace if span.parent_id), "all hang together"
    (decided,) = (span for span in trace if span.name == "decide sign_up")
    after = {span.name for span in trace if span.parent_id == decided.span_id}
    assert {"project debates_v1", "react allocator", "react announcer"} <= after


async def test_an_announcement_is_in_the_trace_of_what_is_announced(
    told: WholeMoot, collected: OtlpReceiver
) -> None:
    async with told.client() as client:
        topic = await open_topic(told, client)
        await client.as_agent(told.keys[MODERATOR]).cancel_topic(topic.id, "no interest")
    trace = await one_trace(collected, CANCEL, {"moot-announcer"}, "deliver fabric")
    assert {"react announcer_deliveries", "decide record_attempt"} <= {s.name for s in trace}


@pytest.mark.usefixtures("told")
async def test_every_service_says_who_it_is_and_sends_its_metrics(collected: OtlpReceiver) -> None:
    async def all_have() -> bool:
        return set(collected.metrics) >= EVERY_SERVICE

    await until(all_have)
    for service in EVERY_SERVICE:
        who = collected.resources[service]
        assert who["service.version"]
        assert who["service.instance.id"] == f"{service.removeprefix('moot-')}-1"
        assert {"moot.build.info", "process.cpu.time"} <= collected.metrics[service]


async def test_metrics_do_not_grow_with_topics_and_have_no_ids_in_them(told: WholeMoot) -> None:
    names = [*told.keys]
    async with told.client() as client:
        ids = [(await open_topic(told, client)).id]
        await everybody_signs_up(told, client, ids)
        before = await scraped(told)
        ids = [await quickly_proposed(told, client) for _ in range(MORE_TOPICS)]
        await everybody_signs_up(told, client, ids)
        after = await scraped(told)
    # Meanwhile the first topic went on to its next stages, which adds a few.
    more = {s for s in after.keys() - before.keys() if not s.name.endswith(("_bucket", "_sum"))}
    assert len(more) < MORE_TOPICS, more
    values = {value for series in after for label, value in series.labels if is_ours(series, label)}
    assert not [value for value in values if any(each in value for each in (*ids, *names))]


def names_used() -> set[str]:
    """Return what dashboards and alerts name."""
    used = [each for path in DASHBOARDS for each in expressions(path)]
    used += [each for path in ALERTS for each in judged(path)]
    return {name for each in used for name in names_in(each)}


def is_ours(series: Series, label: str) -> bool:
    """Who the process is, it says of itself in `target_info`."""
    return series.name != "target_info" and label != "moot_command"


async def quickly_proposed(moot: WholeMoot, client: MootClient) -> str:
    moderator = client.as_agent(moot.keys[MODERATOR])
    return (await moderator.propose_topic(proposal(EXAMPLE, UNHURRIED, now=soon()))).id


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


async def everybody_signs_up(moot: WholeMoot, client: MootClient, topics: list[str]) -> None:
    for topic_id in topics:
        for name, key in moot.keys.items():
            if name != MODERATOR:
                body = {"willing_camps": ["pro"]}
                path = f"/api/topics/{topic_id}/signups"
                answer = await client.as_agent(key).request("POST", path, body=body)
                assert answer.status_code in {200, 201, 409}, answer.text


async def test_what_is_shown_is_declared_and_follows_the_conventions(told: WholeMoot) -> None:
    shown = await scraped(told)
    assert {series.name for series in shown} <= sample_names()
    assert {label for series in shown for label, _ in series.labels if is_ours(series, label)} <= (
        label_names() | {"moot_command"}
    )
    assert names_used() - {series.name for series in shown} <= NOT_AT_ONCE
    prefixes = ("moot.", "http.server.", "messaging.", "db.client.", "process.")
    assert all(each.name.startswith(prefixes) for each in everything_declared())


async def test_every_line_of_every_service_is_json_with_who_when_and_what(told: WholeMoot) -> None:
    lines = list(said(told.folder.with_suffix(".log")))
    assert {service for service, _ in lines} == set(SERVICES)
    for service, line in lines:
        told_by = parsed(line)
        assert told_by is not None, line
        assert {"event", "level", "timestamp"} <= set(told_by), line
        assert told_by["service"] == service
    by_announcer = [parsed(line) or {} for service, line in lines if service == "announcer"]
    reacted = [line for line in by_announcer if line["event"] == "reacted"]
    assert reacted
    assert all(line["trace_id"] and line["span_id"] for line in reacted)
