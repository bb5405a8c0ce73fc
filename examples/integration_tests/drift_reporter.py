"""Tells Moot where a deployment drifted, and does what a debate about it comes to."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from moot.client import MootClient

OBSERVED = "moot.posture.deployment_observed.v1"
VERDICT = "moot.topic.verdict_submitted.v1"
SOURCE = "https://drift-reporter.example"

Action = Literal["roll back", "keep"]


@dataclass(frozen=True)
class Observation:
    """What is deployed on a target, beside what should be; both content identifiers."""

    artifact: str
    target: str
    desired: str
    deployed: str
    observed_at: datetime

    @property
    def status(self) -> str:
        return "healthy" if self.desired == self.deployed else "drifted"

    @property
    def id(self) -> str:
        """The same for the same observation: Moot stores it once, however often it is sent."""
        return sha256(repr(self).encode()).hexdigest()[:32]

    def document(self) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": OBSERVED,
            "subject": f"posture/{self.artifact}",
            "data": {
                "target": self.target,
                "desired_cid": self.desired,
                "deployed_cid": self.deployed,
                "status": self.status,
                "observed_at": self.observed_at.isoformat(),
            },
        }


async def report(publisher: MootClient, observation: Observation) -> int:
    """Tell Moot; return the event's position, which is its first one however often it is sent."""
    published = await publisher.publish_events([observation.document()])
    return published.events[0].position


async def action_after(debate: MootClient, topic_id: str) -> Action:
    """Wait for the verdict of a debate whether to roll back, and say what it means."""
    async with aclosing(debate.stream_topic(topic_id, after=0)) as events:
        async for event in events:
            if event.type == VERDICT:
                return meaning_of(event.data["verdict"])
    raise RuntimeError(f"topic {topic_id} ended without a verdict")


def meaning_of(verdict: Mapping[str, Any]) -> Action:
    return "roll back" if verdict.get("winner") == "pro" else "keep"


def concerns_us(event: Mapping[str, Any]) -> bool:
    """Whether an event, as the Chronicle has it, is one to look at."""
    return event["type"] in {OBSERVED, VERDICT}
