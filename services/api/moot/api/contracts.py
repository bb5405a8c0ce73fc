"""`GET /api/contracts`: the catalogue, for whoever reads events or publishes their own."""

from functools import cache
from hashlib import sha256

from starlette.responses import Response

from moot.api.exchange import JSON, Api, Asked, ETag, is_known
from moot.api.operations import Operation
from moot.contracts import examples
from moot.contracts.catalogue import COMMANDS_BY_CATEGORY, EVENTS_BY_CATEGORY, INGESTIBLE
from moot.contracts.catalogue_views import CommandContractView, ContractsView, EventContractView
from moot.contracts.envelope_schema import ENVELOPE_SCHEMA
from moot.contracts.subjects import StreamName

ADDRESS = "/api/contracts"


async def list_contracts(_: Api, asked: Asked) -> Response:
    body, etag = _answer()
    if is_known(asked.request, etag):
        response = Response(status_code=304)
    else:
        response = Response(body, media_type=JSON)
    response.headers["ETag"] = etag
    return response


@cache
def contracts() -> ContractsView:
    return ContractsView(envelope=ENVELOPE_SCHEMA, events=_events(), commands=_commands())


@cache
def _answer() -> tuple[bytes, ETag]:
    body = contracts().model_dump_json().encode()
    return body, ETag(f'"{sha256(body).hexdigest()[:32]}"')


def _events() -> tuple[EventContractView, ...]:
    example_of = {event.type: event for events in examples.EVENTS.values() for event in events}
    return tuple(
        EventContractView(
            type=event.type,
            category=category,
            subject=f"{category}/{{id}}",
            nats_subject=StreamName(category, "{id}").subject,
            ingestible=event.type in INGESTIBLE,
            data_schema=event.model_json_schema(),
            example=example_of[event.type].model_dump(mode="json"),
        )
        for category, events in EVENTS_BY_CATEGORY.items()
        for event in events
    )


def _commands() -> tuple[CommandContractView, ...]:
    example_of = {command.name: command for command in examples.COMMANDS}
    return tuple(
        CommandContractView(
            name=name,
            category=category,
            data_schema=command.model_json_schema(),
            example=example_of[name].model_dump(mode="json"),
        )
        for category, commands in COMMANDS_BY_CATEGORY.items()
        for command in commands
        for name in (command.model_fields["name"].default,)
    )


OPERATIONS = (
    Operation(
        "GET",
        ADDRESS,
        "list_contracts",
        "chronicle",
        "List every type of event and command, with its JSON Schema and an example",
        list_contracts,
        {200: ContractsView},
    ),
)
