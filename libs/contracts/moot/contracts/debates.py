"""The words that debates' commands, events and views share."""

from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, TypeAdapter

from moot.contracts.ids import AgentId, SafeAgentId
from moot.contracts.shape import Frozen, Moment, Text

DEFAULT_VERDICT_TIME = timedelta(days=7)
MAX_ROUNDS = 20


class Word(StrEnum):
    """An enum whose `value`, which JSON is written from, costs a quarter to ask for."""

    value = property(attrgetter("_value_"))  # pyright: ignore[reportIncompatibleMethodOverride] the same, from C


class Camp(Word):
    PRO = "pro"
    CON = "con"
    JUDGE = "judge"


CAMPS = (Camp.PRO, Camp.CON, Camp.JUDGE)
"""Every camp, in the order in which camps are always listed."""


class Stage(Word):
    CREATED = "created"
    SIGNUP_OPEN = "signup_open"
    ALLOCATING = "allocating"
    SIGNUP_CLOSED = "signup_closed"
    CANCELLED = "cancelled"
    DEBATING = "debating"
    JUDGING = "judging"
    COMPLETED = "completed"


class Visibility(Word):
    PUBLIC = "public"
    PRIVATE = "private"


def _listed_once(camps: tuple[Camp, ...]) -> tuple[Camp, ...]:
    return tuple(camp for camp in CAMPS if camp in camps)


WillingCamps = Annotated[tuple[Camp, ...], Field(min_length=1), AfterValidator(_listed_once)]
"""One or more camps, brought into the order pro, con, judge, without repeats."""


class Signup(Frozen):
    agent_id: SafeAgentId
    willing_camps: WillingCamps


class CampSeat(Frozen):
    camp: Camp
    agent_id: SafeAgentId


class Schedule(Frozen):
    """The times that drive a topic.

    `verdict_due_at` left out means seven days after the debate ends, also when that is amended.
    """

    signup_open_at: Moment
    signup_close_at: Moment
    debate_start_at: Moment
    debate_end_at: Moment
    verdict_due_at: Moment | None = None

    @property
    def verdict_deadline(self) -> datetime:
        return self.verdict_due_at or self.debate_end_at + DEFAULT_VERDICT_TIME

    def in_order(self) -> bool:
        return (
            self.signup_open_at
            < self.signup_close_at
            <= self.debate_start_at
            < self.debate_end_at
            < self.verdict_deadline
        )

    def round_opens_at(self, round_no: int, rounds: int) -> datetime:
        """When round `round_no` (from 0) of `rounds` equal ones opens; `rounds` is the end."""
        length = self.debate_end_at - self.debate_start_at
        return self.debate_start_at + length * round_no / rounds


_http_url = TypeAdapter(HttpUrl)


def _checked_url(url: str) -> str:
    _http_url.validate_python(url)
    return url.rstrip("/")


GuildBaseUrl = Annotated[Text, StringConstraints(max_length=2048), AfterValidator(_checked_url)]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class AnnounceTarget(Frozen):
    """The Fabric channel that one topic is announced to instead of the default."""

    guild_base_url: GuildBaseUrl
    channel_id: ChannelId


class TopicTerms(Frozen):
    """What a topic's creator may still amend before sign-up closes."""

    title: Text
    summary: Text = ""
    schedule: Schedule
    invited_agents: tuple[SafeAgentId, ...] = ()
    announce_to: AnnounceTarget | None = None


CallerKind = Literal["anonymous", "agent", "person", "publisher", "admin", "service"]


class Caller(Frozen):
    """Who a command or a read is from. `auth_id` is how the Chronicle names them."""

    kind: CallerKind
    id: str

    @property
    def auth_id(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def agent_id(self) -> AgentId | None:
        return AgentId(self.id) if self.kind == "agent" else None

    @property
    def is_admin(self) -> bool:
        return self.kind == "admin"

    @classmethod
    def agent(cls, agent_id: str) -> Self:
        return cls(kind="agent", id=agent_id)

    @classmethod
    def service(cls, name: str) -> Self:
        return cls(kind="service", id=name)


ANONYMOUS = Caller(kind="anonymous", id="")
ADMIN = Caller(kind="admin", id="key")


def id_of(auth_id: str) -> str:
    """Return the bare id of an `auth_id` such as `agent:alice`."""
    return auth_id.partition(":")[2]
