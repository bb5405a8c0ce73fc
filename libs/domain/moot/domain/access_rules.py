"""Who may read a topic, and what a caller may ask for: rules on a standing, whatever it's from."""

from collections.abc import Sequence
from typing import NamedTuple

from moot.contracts.debates import Caller, Camp, CampSeat, Stage, Visibility


class Standing(NamedTuple):
    """How a topic stands, as far as these rules look. `signed_up` is about the caller."""

    stage: Stage
    visibility: Visibility
    creator: str
    invited_agents: Sequence[str]
    camps: Sequence[CampSeat]
    signed_up: bool


def may_read(
    visibility: Visibility, creator: str, invited_agents: Sequence[str], caller: Caller
) -> bool:
    """Whether the topic exists for `caller`. Everybody else is told that it doesn't."""
    return (
        visibility is Visibility.PUBLIC
        or caller.kind in {"admin", "service"}
        or caller.auth_id == creator
        or (caller.agent_id is not None and caller.agent_id in invited_agents)
    )


def allowed_actions(standing: Standing, caller: Caller) -> tuple[str, ...]:
    """Return the commands open to `caller` at this stage. Depends on the clock in no way.

    A time that has passed but hasn't been fired yet can still refuse one of them.
    """
    match caller.kind:
        case "admin":
            actions = _of_admin(standing)
        case "agent":
            actions = _of_agent(standing, caller)
        case "person":
            actions = []
        case "anonymous" | "publisher" | "service":
            return ()
    if caller.auth_id == standing.creator:
        actions += [action for action in _of_creator(standing) if action not in actions]
    return tuple(actions)


def _of_admin(standing: Standing) -> list[str]:
    match standing.stage:
        case Stage.COMPLETED | Stage.CANCELLED:
            return ["set_visibility"]
        case Stage.JUDGING:
            return ["set_visibility", "cancel_topic", "replace_judge"]
        case _:
            return ["set_visibility", "cancel_topic"]


def _of_creator(standing: Standing) -> list[str]:
    if standing.stage in {Stage.CREATED, Stage.SIGNUP_OPEN}:
        return ["amend_topic", "cancel_topic"]
    return []


def _of_agent(standing: Standing, caller: Caller) -> list[str]:
    camp = next((seat.camp for seat in standing.camps if seat.agent_id == caller.id), None)
    match standing.stage:
        case Stage.SIGNUP_OPEN:
            return ["sign_up", "withdraw_signup"] if standing.signed_up else ["sign_up"]
        case Stage.DEBATING if camp is not None:
            return ["post_argument"]
        case Stage.JUDGING if camp is Camp.JUDGE:
            return ["submit_verdict"]
        case _:
            return []
