"""Every operation of the API."""

from moot.api import (
    agent_keys,
    allocation,
    announcements,
    arguments,
    chronicle,
    contracts,
    deadlines,
    deliveries,
    events,
    export,
    me,
    publishers,
    signups,
    streams,
    topics,
    verdict_schemas,
    verdicts,
    webhooks,
)

OPERATIONS = (
    *topics.OPERATIONS,
    *signups.OPERATIONS,
    *arguments.OPERATIONS,
    *verdicts.OPERATIONS,
    *allocation.OPERATIONS,
    *export.OPERATIONS,
    *verdict_schemas.OPERATIONS,
    # Before `chronicle`, whose path of one event would take a stream for one.
    *streams.OPERATIONS,
    *chronicle.OPERATIONS,
    *announcements.OPERATIONS,
    *deadlines.OPERATIONS,
    *webhooks.OPERATIONS,
    *deliveries.OPERATIONS,
    *agent_keys.OPERATIONS,
    *me.OPERATIONS,
    *contracts.OPERATIONS,
    *events.OPERATIONS,
    *publishers.OPERATIONS,
)
