"""Announcements that were given up: an admin has them sent once more."""

from starlette.responses import Response

from moot.api.bodies import RetryDeliveryBody, read_body
from moot.api.exchange import Api, Asked, answer_write, obey
from moot.api.operations import Operation
from moot.api.problems import Problem
from moot.contracts.deliveries import RetryDelivery
from moot.contracts.delivery_views import RetriedView
from moot.contracts.ids import EventId, is_hex_id
from moot.domain import delivery


async def retry_delivery(api: Api, asked: Asked) -> Response:
    queue_id: str = asked.request.path_params["queue_id"]
    event_id: str = asked.request.path_params["event_id"]
    if not is_hex_id(queue_id) or not is_hex_id(event_id):
        raise Problem("delivery-unknown")
    body = await read_body(asked.request, RetryDeliveryBody)
    command = RetryDelivery(by=asked.caller, event_id=EventId(event_id), reason=body.reason)
    outcome = await obey(api, asked, delivery, queue_id, command)
    return answer_write(RetriedView(delivery_id=f"{queue_id}/{event_id}"), outcome)


OPERATIONS = (
    Operation(
        "POST",
        "/api/admin/deliveries/{queue_id}/{event_id}/retry",
        "retry_delivery",
        "announcements",
        "Send an announcement that was given up once more, with the same key",
        retry_delivery,
        {200: RetriedView},
        who="admins",
        body=RetryDeliveryBody,
        example={"reason": "the receiver is back"},
        problems=("delivery-unknown", "already-delivered"),
    ),
)
