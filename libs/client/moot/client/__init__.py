"""Moot's HTTP API as typed, asynchronous calls, for whoever speaks to a Moot from outside."""

from moot.client.bodies import Amendment, Proposal, WebhookChange
from moot.client.moot_client import MootClient
from moot.client.pages import Pages
from moot.client.problems import MootUnreachableError, ProblemError

__all__ = [
    "Amendment",
    "MootClient",
    "MootUnreachableError",
    "Pages",
    "ProblemError",
    "Proposal",
    "WebhookChange",
]
