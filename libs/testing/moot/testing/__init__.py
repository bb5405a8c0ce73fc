"""A running Moot for other systems' tests: `moot_stack` is the fixture to begin with.

Nothing of Moot is imported before one of these names is asked for: pytest loads the plugin in every
run, also where no test needs a Moot.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moot.testing.agents import Agent
    from moot.testing.debates import Debate
    from moot.testing.examples import command_examples, document, event_examples
    from moot.testing.fabric_guild import FabricGuild
    from moot.testing.failures import MootTestingError
    from moot.testing.names import fresh
    from moot.testing.stack import MootStack

__all__ = [
    "Agent",
    "Debate",
    "FabricGuild",
    "MootStack",
    "MootTestingError",
    "command_examples",
    "document",
    "event_examples",
    "fresh",
]

_HOMES = {
    "Agent": "agents",
    "Debate": "debates",
    "FabricGuild": "fabric_guild",
    "MootStack": "stack",
    "MootTestingError": "failures",
    "command_examples": "examples",
    "document": "examples",
    "event_examples": "examples",
    "fresh": "names",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 whatever that name is
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"moot.testing.{_HOMES[name]}"), name)
