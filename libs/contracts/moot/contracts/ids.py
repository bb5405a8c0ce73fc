"""Identifiers, and how those that are derived are derived.

Ids of our own are 32 lower-case hex digits. Agent ids are safe tokens that an admin chose.
"""

import re
from hashlib import sha1
from typing import Annotated, NewType
from uuid import UUID

from pydantic import StringConstraints

TopicId = NewType("TopicId", str)
EventId = NewType("EventId", str)
CommandId = NewType("CommandId", str)
AgentId = NewType("AgentId", str)
KeyId = NewType("KeyId", str)
QueueId = NewType("QueueId", str)
WebhookId = NewType("WebhookId", str)
Position = NewType("Position", int)
"""An event's JetStream stream sequence, from 1; 0 is "before everything"."""

HEX_ID = r"^[0-9a-f]{32}$"
SAFE_TOKEN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"  # noqa: S105 a pattern, not a secret

_HEX_ID = re.compile(HEX_ID[1:-1])
_SAFE_TOKEN = re.compile(SAFE_TOKEN[1:-1])

SafeAgentId = Annotated[AgentId, StringConstraints(pattern=SAFE_TOKEN)]

_NAMESPACE = UUID("6f0a3f1e-6d1b-5b57-9f43-8c3c1f8f6d55")
"""Never changes: every derived id in every Chronicle hangs on it."""


_UUID_BITS = ~(0xF000 << 64 | 0xC000 << 48)
_UUID_5 = 5 << 76 | 0x8000 << 48


def derived_id(*parts: str) -> str:
    """Return the UUIDv5 of `parts`, as 32 hex digits. The same parts give the same id, for ever."""
    # As `uuid.uuid5` does it, without the object: four of these are made for each command.
    digest = sha1(_NAMESPACE.bytes + "\x1f".join(parts).encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16])
    return f"{number & _UUID_BITS | _UUID_5:032x}"


def is_hex_id(text: str) -> bool:
    return _HEX_ID.fullmatch(text) is not None


def is_safe_token(text: str) -> bool:
    return _SAFE_TOKEN.fullmatch(text) is not None
