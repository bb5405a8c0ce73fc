"""How long something takes, as people type it: `90s`, `10m`, `2h`, `7d`, `1h30m`."""

import re
from datetime import timedelta

import typer

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d{1,9})([smhd])")
_WHOLE = re.compile(r"(?:\d{1,9}[smhd])+")


def duration(text: str | timedelta) -> timedelta:
    """Raises typer.BadParameter. Typer has defaults parsed, too."""
    if isinstance(text, timedelta):
        return text
    if not _WHOLE.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 10m, 2h, 7d or 1h30m")
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is too long") from None
