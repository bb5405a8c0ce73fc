"""Errors as texts that a row can hold."""

MOST_CHARACTERS = 2000


def reason_of(error: Exception) -> str:
    """Return an error as the reason of a dead letter."""
    return storable(f"{type(error).__name__}: {error}")


def storable(text: str) -> str:
    """Return what PostgreSQL can store of a text that may quote anything."""
    return text[:MOST_CHARACTERS].replace("\x00", "").encode(errors="replace").decode()
