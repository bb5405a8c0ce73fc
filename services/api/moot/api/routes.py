"""Every operation of the API."""

from moot.api import (
    agent_keys,
    allocation,
    announcements,
    arguments,
    contracts,
    deadlines,
    deliveries,
    export,
    me,
    signups,
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
    *announcements.OPERATIONS,
    *deadlines.OPERATIONS,
    *webhooks.OPERATIONS,
    *deliveries.OPERATIONS,
    *agent_keys.OPERATIONS,
    *me.OPERATIONS,
    *contracts.OPERATIONS,
)
