"""One whole Moot for the stories that leave it standing."""

from collections.abc import Iterator

import pytest

from tests.support.whole_moot import WholeMoot, lasting_moot


@pytest.fixture(scope="session")
def calm_moot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMoot]:
    """Nobody kills anything here; topics of one test don't concern another."""
    with lasting_moot(tmp_path_factory.mktemp("calm") / "data") as moot:
        yield moot
