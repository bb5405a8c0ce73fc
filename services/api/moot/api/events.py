"""`POST /api/events`: other systems publish events of theirs."""

from starlette.responses import Response

from moot.api.cloud_events import BATCH, CloudEvent, CloudEventBatch, check_events, read_events
from moot.api.exchange import JSON, POSITION, Api, Asked
from moot.api.operations import Operation
from moot.contracts.artifact_examples import ARTIFACT_EVENTS, ARTIFACT_ID
from moot.contracts.envelope import CONTENT_TYPE
from moot.contracts.publishing_views import PublishedEventView, PublishedView

_EXAMPLE = {
    "specversion": "1.0",
    "id": "2026-11-21/17",
    "source": "/substrate/collector",
    "type": ARTIFACT_EVENTS[0].type,
    "subject": f"artifact/{ARTIFACT_ID}",
    "time": "2026-11-21T12:00:00Z",
    "data": ARTIFACT_EVENTS[0].model_dump(mode="json"),
}


async def publish_events(api: Api, asked: Asked) -> Response:
    publisher = await api.callers.publisher(asked.request.headers)
    sent, batch = await read_events(asked.request)
    incoming = check_events(sent, publisher.grant, batch=batch)
    placed = await api.publishing.publish(publisher.name, incoming)
    view = PublishedView(
        events=tuple(
            PublishedEventView(
                source=one.source, id=one.id, position=place.position, duplicate=place.duplicate
            )
            for one, place in zip(sent, placed, strict=True)
        )
    )
    is_new = not all(place.duplicate for place in placed)
    response = Response(view.model_dump_json(), 201 if is_new else 200, media_type=JSON)
    response.headers[POSITION] = str(max(place.position for place in placed))
    if not batch:
        response.headers["Location"] = f"/api/chronicle/{placed[0].position}"
    return response


OPERATIONS = (
    Operation(
        "POST",
        "/api/events",
        "publish_events",
        "chronicle",
        "Publish an event, or a batch: all of it or nothing",
        publish_events,
        {201: PublishedView, 200: PublishedView},
        who="publishers",
        body=CloudEvent,
        body_media_type=CONTENT_TYPE,
        other_bodies={BATCH: CloudEventBatch},
        example=_EXAMPLE,
        problems=(
            "unknown-event-type",
            "not-ingestible",
            "not-granted",
            "event-does-not-match-contract",
            "event-id-reused",
        ),
    ),
)
