"""`/livez`, `/readyz`, `/health` and `/metrics` on the API's own port."""

from starlette.requests import Request
from starlette.responses import Response

from moot.runtime import health
from moot.runtime.readiness import Readiness

HEALTH_PATHS = {
    "/livez": ("get_liveness", "Say whether the process lives"),
    "/readyz": ("get_readiness", "Say whether everything it needs answers"),
    "/health": ("get_health", "Say the same to a load balancer"),
    "/metrics": ("get_metrics", "Show metrics for Prometheus"),
}


def health_page(readiness: Readiness):  # noqa: ANN201 what Starlette takes
    async def answer(request: Request) -> Response:
        found = await health.answer(request.url.path, readiness)
        return Response(
            found.body,
            found.status,
            media_type=found.content_type,
            headers={"Cache-Control": "no-store"},
        )

    return answer
