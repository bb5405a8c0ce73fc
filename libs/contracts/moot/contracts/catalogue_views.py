"""JSON that the API answers with about the catalogue; see `moot.contracts.views`."""

from typing import Any

from moot.contracts.subjects import Category
from moot.contracts.views import View


class EventContractView(View):
    """`data_schema` is the JSON Schema of the document's `data`, of which `example` is one."""

    type: str
    category: Category
    subject: str
    """The CloudEvents `subject` of such events."""
    nats_subject: str
    ingestible: bool
    """Whether other systems may publish it: see `POST /api/events`."""
    data_schema: dict[str, Any]
    example: dict[str, Any]


class CommandContractView(View):
    name: str
    category: Category
    data_schema: dict[str, Any]
    example: dict[str, Any]


class ContractsView(View):
    envelope: dict[str, Any]
    """The JSON Schema of the document that every event is stored as."""
    events: tuple[EventContractView, ...]
    commands: tuple[CommandContractView, ...]
