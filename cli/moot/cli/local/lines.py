"""What the processes of the local stack say, each line with the name of who said it."""

import threading
from contextlib import suppress
from functools import partial
from typing import TextIO

from moot.cli.local.process import Sink

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
WIDTH = 12


class Lines:
    """Writes to `stream` from any thread; in colour on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty()
        self._colours: dict[str, int] = {}
        self._writing = threading.Lock()

    def tell(self, name: str, text: str) -> None:
        with self._writing:
            prefix = self._prefix(name)
            # Nobody reads any more (a closed pipe, a closed terminal): the stack runs on.
            with suppress(OSError, ValueError):
                self._stream.writelines(f"{prefix} {line}\n" for line in text.splitlines())
                self._stream.flush()

    def sink(self, name: str) -> Sink:
        return partial(self.tell, name)

    def _prefix(self, name: str) -> str:
        text = f"{name:<{WIDTH}} │"
        if not self.is_terminal:
            return text
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        return f"\x1b[{colour}m{text}\x1b[0m"
