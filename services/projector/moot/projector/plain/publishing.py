"""`publishing_v1`: a publisher has the key and grant given last; what came in is a row for good."""

from collections.abc import Sequence

from moot.contracts.artifacts import ArtifactRegistered, DeploymentObserved
from moot.contracts.envelope import Recorded
from moot.contracts.publishing import PublishingKeyIssued, PublishingKeyRevoked
from moot.contracts.subjects import StreamName
from moot.projector.plain.stream_fold import PlainProjection, StreamFold
from moot.projector.plain.table import Row, Table

PUBLISHERS = Table(
    name="publishers",
    columns=(
        "publisher",
        "stream_id",
        "categories",
        "types",
        "key_id",
        "key_hash",
        "expires_at",
        "revoked_at",
        "issued_at",
        "position",
    ),
    key=("publisher",),
    category="access",
    stream_column="stream_id",
    stream_type="text",
)

PUBLISHED_EVENTS = Table(
    name="published_events",
    columns=("position", "command_id", "content_hash", "category", "stream_id"),
    key=("position",),
    category=None,
    stream_column="stream_id",
    stream_type="text",
)


class _Publisher:
    is_over = False

    def __init__(self, stream: StreamName) -> None:
        self._stream = stream
        self._key: PublishingKeyIssued | None = None
        self._revoked: PublishingKeyRevoked | None = None
        self._position = 0

    def add(self, recorded: Recorded) -> Sequence[Row]:
        match recorded.event:
            case PublishingKeyIssued() as issued:
                self._key, self._revoked, self._position = issued, None, recorded.position
            case PublishingKeyRevoked() as revoked if (
                self._key is not None and self._key.key_id == revoked.key_id
            ):
                self._revoked, self._position = revoked, recorded.position
            case _:
                pass
        return ()

    def rows(self) -> Sequence[Row]:
        key = self._key
        if key is None:
            return ()
        named = (key.publisher, self._stream.id, key.grant.categories, key.grant.types)
        revoked_at = self._revoked and self._revoked.revoked_at
        held = (key.key_id, key.key_hash, key.expires_at, revoked_at, key.issued_at)
        return [(PUBLISHERS, (*named, *held, self._position))]


class _Published:
    is_over = False

    def __init__(self, stream: StreamName) -> None:
        self._stream = stream

    def add(self, recorded: Recorded) -> Sequence[Row]:
        cause = recorded.envelope.cause
        told = (recorded.position, cause.command_id, cause.command_hash)
        return [(PUBLISHED_EVENTS, (*told, self._stream.category, self._stream.id))]

    def rows(self) -> Sequence[Row]:
        return ()


def _fold(stream: StreamName) -> StreamFold:
    return _Publisher(stream) if stream.category == "access" else _Published(stream)


PLAIN_PUBLISHING = PlainProjection(
    name="publishing_v1",
    categories=frozenset({"access", "artifact", "posture"}),
    tables=(PUBLISHERS, PUBLISHED_EVENTS),
    fold=_fold,
    begins=frozenset({PublishingKeyIssued, ArtifactRegistered, DeploymentObserved}),
)
