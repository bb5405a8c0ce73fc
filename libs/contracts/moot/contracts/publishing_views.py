"""JSON that the API answers with about publishers; see `moot.contracts.views`."""

from moot.contracts.shape import Moment
from moot.contracts.subjects import Category
from moot.contracts.views import View


class PublisherView(View):
    publisher: str
    categories: tuple[Category, ...]
    types: tuple[str, ...]
    """None: all that may be published in the categories."""
    key_id: str
    expires_at: Moment | None
    revoked_at: Moment | None
    issued_at: Moment
    position: int


class IssuedPublishingKeyView(View):
    publisher: str
    categories: tuple[Category, ...]
    types: tuple[str, ...]
    key_id: str
    key: str
    """The raw key. Shown this once."""
    expires_at: Moment | None


class PublishedEventView(View):
    source: str
    id: str
    """As they were sent."""
    position: int
    """The event's place in the Chronicle: of when it first came, if it came before."""
    duplicate: bool


class PublishedView(View):
    events: tuple[PublishedEventView, ...]
    """In the order in which they were sent."""
