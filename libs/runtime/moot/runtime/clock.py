"""The wall clock: where time comes from when nobody injects another."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
