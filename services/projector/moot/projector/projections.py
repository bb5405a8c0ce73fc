"""Every projection that the projector runs. Stored names: never renamed."""

from moot.projector.agent_keys import AGENT_KEYS
from moot.projector.announcements import ANNOUNCEMENTS
from moot.projector.attempts import ATTEMPTS
from moot.projector.deadlines import DEADLINES
from moot.projector.debates.projection import DEBATES
from moot.projector.publishing import PUBLISHING

PROJECTIONS = (DEBATES, DEADLINES, ANNOUNCEMENTS, ATTEMPTS, AGENT_KEYS, PUBLISHING)
