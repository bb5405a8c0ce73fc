"""Publishers: other systems that may append events of theirs, and the key of each.

Stream `chronicle.access.<publisher_stream_id(name)>`; only peppered hashes are ever stored.
"""

from typing import Annotated, ClassVar, Literal, NewType

from pydantic import AfterValidator, Field, StringConstraints

from moot.contracts.ids import SAFE_TOKEN, derived_id
from moot.contracts.issued_keys import IssueKey, KeyIssued, KeyRevoked, RevokeKey
from moot.contracts.shape import Frozen
from moot.contracts.subjects import Category

PublisherName = NewType("PublisherName", str)
SafePublisherName = Annotated[PublisherName, StringConstraints(pattern=SAFE_TOKEN)]


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


Categories = Annotated[tuple[Category, ...], Field(min_length=1), AfterValidator(_sorted)]
TypeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,127}$")]
TypeNames = Annotated[tuple[TypeName, ...], Field(max_length=100), AfterValidator(_sorted)]


def publisher_stream_id(name: PublisherName) -> str:
    """Return the id of its stream: no agent's, whatever the publisher is called."""
    return derived_id("publisher", name)


class Grant(Frozen):
    """What a publisher may append: events of these types in these categories."""

    categories: Categories
    types: TypeNames = ()
    """None means all ingestible ones of the categories."""

    def covers(self, category: Category, type_name: str) -> bool:
        return category in self.categories and (not self.types or type_name in self.types)


class _OfPublisher(Frozen):
    publisher: PublisherName


class _OfGranted(_OfPublisher):
    grant: Grant


class PublishingKeyIssued(KeyIssued, _OfGranted):
    """Replaces the publisher's earlier grant too."""

    type: ClassVar[str] = "moot.access.publishing_key_issued.v1"


class PublishingKeyRevoked(KeyRevoked, _OfPublisher):
    type: ClassVar[str] = "moot.access.publishing_key_revoked.v1"


PublishingEvent = PublishingKeyIssued | PublishingKeyRevoked


class IssuePublishingKey(IssueKey):
    name: Literal["issue_publishing_key"] = "issue_publishing_key"
    publisher: SafePublisherName
    grant: Grant


class RevokePublishingKey(RevokeKey):
    name: Literal["revoke_publishing_key"] = "revoke_publishing_key"
    publisher: SafePublisherName


PublishingCommand = Annotated[IssuePublishingKey | RevokePublishingKey, Field(discriminator="name")]
