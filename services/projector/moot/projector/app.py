"""Wires the projector: the Chronicle → a runner for each projection → the Ops DB."""

from collections.abc import Sequence
from random import SystemRandom

from moot.projector.background_verification import BackgroundVerification
from moot.projector.projections import PROJECTIONS
from moot.projector.settings import ProjectorSettings
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Pool, connect_pool, schema_problem
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.lifecycle import Host, Service
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.projection_standing import StandingWatch
from moot.runtime.provision import chronicle_problem
from moot.runtime.shared_following import SharedFollowing

TABLES = ("projector_checkpoint", "dead_letters", *(t for p in PROJECTIONS for t in p.tables))

SPARE_CONNECTIONS = 4
"""For readiness, watching and verifying, beside the one that each projection's owner keeps."""


async def build(settings: ProjectorSettings, host: Host) -> Service:
    nats = await host.reach("nats", lambda: connect(settings, name="moot-projector"))
    host.on_stop(nats.close)
    size = len(PROJECTIONS) + SPARE_CONNECTIONS
    pool = await host.reach(
        "postgresql", lambda: connect_pool(settings, name="projector", size=size)
    )
    host.on_stop(pool.close)

    async def chronicle_holds() -> str | None:
        return await chronicle_problem(nats, settings.nats_monitor_url)

    async def schema_is_there() -> str | None:
        return await schema_problem(pool, TABLES)

    host.readiness.add("chronicle", chronicle_holds)
    host.readiness.add("schema", schema_is_there)
    chronicle = JetStreamChronicle(nats)
    runners = make_runners(chronicle, pool, settings.replica)
    for runner in runners:
        host.readiness.add(runner.projection.name, runner.readiness)
    watch = StandingWatch(pool, chronicle, host.readiness, [each.name for each in PROJECTIONS])
    host.readiness.add("progress", watch.readiness)
    verification = BackgroundVerification(
        pool,
        chronicle,
        settings.replica,
        settings.projection_verify_interval,
        SystemRandom(),
    )
    jobs = {"progress": watch.run, "verification": verification.run}
    return Service(jobs={**{r.projection.name: r.run for r in runners}, **jobs})


def make_runners(chronicle: Chronicle, pool: Pool, replica_name: str) -> Sequence[ProjectionRunner]:
    """Return a runner for each projection, which one replica shares with others of other names."""
    replica = Replica(replica_name)
    shared = SharedFollowing(chronicle)
    return [ProjectionRunner(p, shared.at_ease(p.rest_seconds), pool, replica) for p in PROJECTIONS]
