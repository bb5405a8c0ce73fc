"""`agent_keys_v1`: an agent has the key that it was given last, revoked or not."""

from collections.abc import Sequence

from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import Row, Table

AGENT_KEYS = Table(
    name="agent_keys",
    columns=(
        "agent_id",
        "key_id",
        "key_hash",
        "expires_at",
        "revoked_at",
        "issued_at",
        "position",
    ),
    key=("agent_id",),
    category="access",
    stream_column="agent_id",
    stream_type="text",
)


class _Agent:
    is_over = False

    def __init__(self, stream: StreamName) -> None:
        self._agent_id = stream.id
        self._key: AgentKeyIssued | None = None
        self._revoked: AgentKeyRevoked | None = None
        self._position = 0

    def add(self, recorded: Recorded) -> Sequence[Row]:
        match recorded.event:
            case AgentKeyIssued() as issued:
                self._key, self._revoked, self._position = issued, None, recorded.position
            case AgentKeyRevoked() as revoked if self._key and self._key.key_id == revoked.key_id:
                self._revoked, self._position = revoked, recorded.position
            case _:
                pass
        return ()

    def rows(self) -> Sequence[Row]:
        if self._key is None:
            return ()
        key, revoked_at = self._key, self._revoked and self._revoked.revoked_at
        issued = (key.key_id, key.key_hash, key.expires_at, revoked_at, key.issued_at)
        return [(AGENT_KEYS, (self._agent_id, *issued, self._position))]


PLAIN_AGENT_KEYS = PlainProjection(
    name="agent_keys_v1",
    categories=frozenset({"access"}),
    tables=(AGENT_KEYS,),
    fold=_Agent,
    begins=frozenset({AgentKeyIssued}),
)
