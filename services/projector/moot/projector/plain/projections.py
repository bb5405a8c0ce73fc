"""Every projection, said plainly, by its name."""

from moot.projector.plain.agent_keys import PLAIN_AGENT_KEYS
from moot.projector.plain.announcements import PLAIN_ANNOUNCEMENTS
from moot.projector.plain.attempts import PLAIN_ATTEMPTS
from moot.projector.plain.deadlines import PLAIN_DEADLINES
from moot.projector.plain.debates import PLAIN_DEBATES
from moot.projector.plain.publishing import PLAIN_PUBLISHING
from moot.projector.plain.stream_fold import PlainProjection

PLAIN: dict[str, PlainProjection] = {
    plain.name: plain
    for plain in (
        PLAIN_DEBATES,
        PLAIN_DEADLINES,
        PLAIN_ANNOUNCEMENTS,
        PLAIN_ATTEMPTS,
        PLAIN_AGENT_KEYS,
        PLAIN_PUBLISHING,
    )
}
