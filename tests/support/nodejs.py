"""Node.js, for tests that show what somebody needs who writes in another language."""

import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "nodejs"
PACKAGES = FOLDER / "node_modules"


def node() -> str:
    """Return where Node.js is. Skips the test where it isn't."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("NOT SHOWN: there is no Node.js here")
    return found


def installed(package: str) -> Path:
    """Return a package's folder. Skips the test where it isn't installed."""
    if not (PACKAGES / package).is_dir():
        pytest.skip(f"NOT SHOWN: {package} isn't installed; run `make nodejs`")
    return PACKAGES / package
