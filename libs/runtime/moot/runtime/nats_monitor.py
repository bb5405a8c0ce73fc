"""What a NATS server says of itself on its monitor port, and nowhere else."""

import asyncio
import json
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 2.0
_WRITE_ERROR = "write error"


class SyncPolicy(StrEnum):
    """Whether an acknowledged event survives a power cut: ALWAYS, or perhaps not."""

    ALWAYS = "always"
    WEAKER = "weaker"
    UNKNOWN = "unknown"
    """There is no monitor address, or nothing answers there."""


async def sync_policy(monitor_url: str | None) -> SyncPolicy:
    """Ask the server at `monitor_url`, e.g. `http://127.0.0.1:8222`."""
    if not monitor_url:
        return SyncPolicy.UNKNOWN
    try:
        answer = await asyncio.to_thread(_get, monitor_url, "/varz")
    except (OSError, HTTPException, ValueError):
        return SyncPolicy.UNKNOWN
    config: dict[str, Any] = answer.get("jetstream", {}).get("config", {})
    return SyncPolicy.ALWAYS if config.get("sync_always") else SyncPolicy.WEAKER


async def write_problem(monitor_url: str | None) -> str | None:
    """Say why the server can't store anything, e.g. a disk that is or was full; None if it can.

    It doesn't answer what it can't store, and all else looks well, until it is started again.
    """
    if not monitor_url:
        return None
    try:
        answer = await asyncio.to_thread(_get, monitor_url, "/healthz", unhealthy=True)
    except (OSError, HTTPException, ValueError):
        return None
    # What else is wrong there, e.g. a copy that isn't current yet, needn't keep anybody from work.
    error = str(answer.get("error", ""))
    return error if _WRITE_ERROR in error else None


def _get(monitor_url: str, path: str, *, unhealthy: bool = False) -> dict[str, Any]:
    """`unhealthy`: what is said with a 503 counts, too."""
    address = urlsplit(monitor_url)
    secure = address.scheme == "https"
    to = (HTTPSConnection if secure else HTTPConnection)(address.netloc, timeout=_SECONDS)
    try:
        to.request("GET", address.path.rstrip("/") + path)
        response = to.getresponse()
        said = {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE} if unhealthy else {HTTPStatus.OK}
        if response.status not in said:
            raise ValueError(f"{path}: {response.status}")
        return json.loads(response.read())
    finally:
        to.close()
