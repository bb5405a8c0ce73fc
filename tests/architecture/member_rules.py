"""What every member of the workspace is made of. A rule yields one line for each finding."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.tree import Source, members, sources

SKELETON = ("__main__.py", "app.py", "settings.py")
PINNED = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)


def services_have_the_skeleton(root: Path) -> Iterator[str]:
    """A service is `__main__.py`, `app.py` with `build`, `settings.py`, and its job."""
    for service in members(root):
        if service.parts[0] != "services":
            continue
        package = service / "moot" / service.name
        for name in SKELETON:
            if not (root / package / name).exists():
                yield f"{package / name}: every service has one"
        for source in sources(root, str(package)):
            if source.path == package / "app.py" and not _defines(source, "build"):
                yield f"{source.path}: an app is wired by a function named build"


def members_are_portions_of_one_namespace(root: Path) -> Iterator[str]:
    for member in members(root):
        moot = member / "moot"
        if (root / moot / "__init__.py").exists():
            yield f"{moot / '__init__.py'}: moot is a namespace, shared by all members"
        project = tomllib.loads((root / member / "pyproject.toml").read_text(encoding="utf-8"))
        name = project["project"]["name"].removeprefix("moot-").replace("-", "_")
        if project["tool"]["uv"]["build-backend"]["module-name"] != f"moot.{name}":
            yield f"{member / 'pyproject.toml'}: module-name is to be moot.{name}"
        for needed in ("__init__.py", "py.typed"):
            if not (root / moot / name / needed).exists():
                yield f"{moot / name / needed}: every member has one"


def the_lock_has_what_members_need(root: Path) -> Iterator[str]:
    """After a change of a member's dependencies comes `make lock`."""
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    pinned = {canonicalize_name(name): version for name, version in PINNED.findall(lock)}
    for member in members(root):
        project = tomllib.loads((root / member / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = list(project["project"].get("dependencies", ()))
        for extra in project["project"].get("optional-dependencies", {}).values():
            wanted += extra
        for text in wanted:
            needed = Requirement(text)
            name = canonicalize_name(needed.name)
            if name.startswith("moot-"):
                continue
            if not needed.specifier.contains(pinned.get(name, "0"), prereleases=True):
                yield f"requirements.lock: {member} needs {text}, locked is {pinned.get(name)}"


def _defines(source: Source, function: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function
        for node in source.module.body
    )
