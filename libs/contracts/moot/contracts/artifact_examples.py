"""Examples of what is told of governed artifacts."""

from typing import Final

from moot.contracts.artifacts import ArtifactRegistered, DeploymentObserved
from moot.contracts.catalogue import Event
from moot.contracts.delivery_examples import NOON

ARTIFACT_ID: Final = "windows-baseline"
_CONTENT_CID = "bafkreicw4gf6trgonibbabneyduaw2cydxwmrbqbbq42qdetqa4ndi64nq"
_OTHER_CID = "bafkreife6p2su2d2s6lvdz62kjlh5gm2ldwj5eqtar3zod5r7zexunmhwi"
_ACCORD_CID = "bafkreiaf3blilxjgijsha4uuyjxerjxhqrtrng7n236nuzzj5intjkwusi"

ARTIFACT_EVENTS: tuple[Event, ...] = (
    ArtifactRegistered(
        name="Windows baseline",
        artifact_type="intune_profile",
        tier="tier-1",
        current_cid=_CONTENT_CID,
        content={"displayName": "Windows baseline", "passwordMinimumLength": 14},
        content_schema="https://schemas.example/intune-profile.json",
        accord_cid=_ACCORD_CID,
        registered_at=NOON,
    ),
)

POSTURE_EVENTS: tuple[Event, ...] = (
    DeploymentObserved(
        target="tenant-a",
        desired_cid=_CONTENT_CID,
        deployed_cid=_OTHER_CID,
        status="drifted",
        drift_detail={"passwordMinimumLength": {"desired": 14, "deployed": 8}},
        observed_at=NOON,
    ),
)
