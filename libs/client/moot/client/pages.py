"""Lists, which Moot gives a page at a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

from pydantic import BaseModel

from moot.contracts.views import PageView

ItemT = TypeVar("ItemT", bound=BaseModel)

LARGEST_PAGE = 200


class Pages(Generic[ItemT]):
    """A list: `async for` gives its items, asking for the next page when one is used up."""

    def __init__(self, read: Callable[[str | None], Awaitable[PageView[ItemT]]]) -> None:
        self._read = read

    async def __aiter__(self) -> AsyncGenerator[ItemT]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncGenerator[PageView[ItemT]]:
        cursor = None
        while True:
            page = await self._read(cursor)
            yield page
            cursor = page.next
            if cursor is None:
                return

    async def first(self) -> PageView[ItemT]:
        """The first page; its `next` says whether there are more."""
        return await self._read(None)

    async def all(self) -> list[ItemT]:
        return [item async for item in self]
