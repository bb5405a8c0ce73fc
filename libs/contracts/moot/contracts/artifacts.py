"""Governed artifacts, as substrate and others tell of them. Moot decides none of these events.

What is registered is told in `chronicle.artifact.<artifact id>`, what is seen where it is deployed
in `chronicle.posture.<artifact id>`: that is much more, and of no weight in the other's order.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from moot.contracts.ids import SAFE_TOKEN
from moot.contracts.shape import Frozen, JsonObject, Moment, Text

Cid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=_-]{8,128}$")]
"""A content identifier, e.g. CIDv1: raw, sha2-256, base32."""

Token = Annotated[str, StringConstraints(pattern=SAFE_TOKEN)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Address = Annotated[Text, StringConstraints(min_length=1, max_length=2048)]

DeploymentStatus = Literal["healthy", "drifted", "pending", "failed", "unknown"]


class ArtifactRegistered(Frozen):
    """An artifact is governed from now on; its chain of custody begins as a draft."""

    type: ClassVar[str] = "moot.artifact.artifact_registered.v1"
    name: Name
    artifact_type: Token
    """`intune_profile`, `dns_zone`, `dsc_mof`, `yang_config`, `helm_values`, `jea_role`,
    `conditional_access`, `tls_cert`, `oci_image`; another one is kept and shown as itself."""
    tier: Token
    """Of those in its accord's tier policy."""
    current_cid: Cid
    """Of `content`."""
    content: JsonObject
    content_schema: Address | None = None
    accord_cid: Cid | None = None
    registered_at: Moment


class DeploymentObserved(Frozen):
    """How an artifact is deployed on one target, as somebody has just seen it."""

    type: ClassVar[str] = "moot.posture.deployment_observed.v1"
    target: Name
    """E.g. a tenant, a cluster or a host."""
    desired_cid: Cid
    deployed_cid: Cid | None = Field(...)
    """Null where none is deployed, or nobody could tell."""
    status: DeploymentStatus
    drift_detail: JsonObject | None = None
    observed_at: Moment


ArtifactEvent = ArtifactRegistered
PostureEvent = DeploymentObserved
