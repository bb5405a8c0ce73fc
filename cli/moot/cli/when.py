"""Moments, as the command line shows them."""

from datetime import UTC, datetime


def in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
