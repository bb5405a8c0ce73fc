"""What a NATS server says of itself on its monitor port, and nowhere else."""

import asyncio
import json
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 2.0


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


def _get(monitor_url: str, path: str) -> dict[str, Any]:
    address = urlsplit(monitor_url)
    secure = address.scheme == "https"
    to = (HTTPSConnection if secure else HTTPConnection)(address.netloc, timeout=_SECONDS)
    try:
        to.request("GET", address.path.rstrip("/") + path)
        response = to.getresponse()
        if response.status != HTTPStatus.OK:
            raise ValueError(f"{path}: {response.status}")
        return json.loads(response.read())
    finally:
        to.close()
