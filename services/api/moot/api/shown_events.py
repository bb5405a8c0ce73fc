"""What is shown of an event, and to whom: in streams and in listings alike."""

import re
from collections.abc import Callable
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import from_json

from moot.contracts.debates import Caller, CallerKind
from moot.contracts.views import EventView
from moot.runtime.chronicle import Stored

PUBLIC_CATEGORIES: Final = frozenset({"topic"})
"""Everything else is for admins: keys, webhooks, what operators do, whatever isn't known yet."""

_KNOWN_CALLERS_ONLY: Final = ("moot.topic.signed_up.", "moot.topic.signup_withdrawn.")
_KEPT_BACK: Final = ("authid", "commandid", "commandhash", "correlationid", "traceparent")
"""From who has no credentials. The correlation is the id of the first command."""

_type_in: Final = re.compile(rb'"type":"([^"]*)"').search

MayRead = Callable[[str, Caller], bool]
"""Whether a caller may read the topic of that subject."""


def type_of(event: Stored) -> str:
    """Return the type, without reading the whole event; empty where it has none."""
    found = _type_in(event.body)
    return found[1].decode() if found else ""


def is_public_type(event: Stored) -> bool:
    """Whether those without credentials may see events of its type."""
    name = type_of(event)
    return bool(name) and not name.startswith(_KNOWN_CALLERS_ONLY)


def is_shown(event: Stored, caller: Caller, may_read: MayRead) -> bool:
    return is_shown_to(event, caller.kind) and may_read(event.subject, caller)


def is_shown_to(event: Stored, kind: CallerKind) -> bool:
    """Whether callers of that kind see such an event, of a topic that they may read."""
    if kind == "admin":
        return True
    if event.subject.split(".", 2)[1] not in PUBLIC_CATEGORIES:
        return False
    return kind != "anonymous" or is_public_type(event)


def event_view(event: Stored, caller: Caller) -> EventView | None:
    """Return what a caller to whom the event is shown sees of it; None where it can't be read."""
    try:
        document: Any = from_json(event.body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    shown = cast("dict[str, Any]", document)
    if caller.kind == "anonymous":
        if shown.get("causationid") == shown.get("commandid"):
            shown.pop("causationid", None)
        for attribute in _KEPT_BACK:
            shown.pop(attribute, None)
    try:
        return EventView.model_validate({**shown, "position": event.position})
    except ValidationError:
        return None
