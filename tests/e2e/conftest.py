"""One whole Moot for the stories that leave it standing.

It ends with the last of them: an idle Moot would take seconds from all tests that come after.
"""

from collections.abc import Iterator

import pytest

from moot.testing import MootStack
from moot.testing.wheels import stack_of
from tests.support.whole_moot import WholeMoot, lasting_moot


@pytest.fixture(scope="package")
def calm_moot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMoot]:
    """Nobody kills anything here; topics of one test don't concern another."""
    with lasting_moot(tmp_path_factory.mktemp("calm") / "data") as moot:
        yield moot


@pytest.fixture(scope="package")
def moot_stack(calm_moot: WholeMoot) -> MootStack:
    """The same Moot, as other teams' tests have it: the plugin would start one more."""
    return stack_of(calm_moot.moot, calm_moot.guild, calm_moot.folder)
