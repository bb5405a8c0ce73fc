"""Tables for people, and for what they pipe them into: no cell is cut, and none is obeyed."""

from collections.abc import Collection, Iterable, Sequence


def show(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, long: Collection[str] = ()
) -> None:
    """Print a table. Texts in the columns `long` are wrapped where a terminal isn't wide enough.

    All others stay whole, so that they can be copied: a narrower terminal breaks the lines itself.
    """
    # Slow to import, and nothing else here needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for column in columns:
        table.add_column(column, no_wrap=column not in long, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=_UNLIMITED))
    console.width = max(console.width if console.is_terminal else needed.maximum, needed.minimum)
    console.print(table)


def one_line(text: str) -> str:
    """Text from anybody on one line: nothing in it moves the cursor or colours the terminal."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


_UNLIMITED = 100_000
