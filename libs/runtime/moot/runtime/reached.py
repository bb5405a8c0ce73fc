"""How far something has read, for who waits until that is far enough."""

import asyncio


class Reached:
    """A position that moves, mostly forward."""

    def __init__(self) -> None:
        self._position = -1
        self._moved = asyncio.Event()

    def move(self, position: int) -> None:
        """Wake up who waits for it; -1: nothing is read yet, or not any more."""
        self._position = position
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, position: int, seconds: float) -> bool:
        """Return whether it came to `position` within that time."""
        try:
            async with asyncio.timeout(seconds):
                while self._position < position:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True
