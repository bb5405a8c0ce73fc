"""The tree as the rules see it: its Python files, parsed, and its tracked text."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("libs", "services", "cli")


@dataclass(frozen=True)
class Source:
    """One Python file. `path` is relative to the root of the tree."""

    path: Path
    text: str
    module: ast.Module

    def at(self, node: ast.AST, finding: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {finding}"


def sources(root: Path, *folders: str) -> Iterator[Source]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield Source(path.relative_to(root), text, _parsed(text))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def members(root: Path) -> Iterator[Path]:
    """Folders of the workspace's members, relative to the root."""
    for pattern in ("libs/*", "services/*", "cli"):
        for folder in sorted(root.glob(pattern)):
            if (folder / "pyproject.toml").exists():
                yield folder.relative_to(root)


def pages(root: Path) -> Iterator[Path]:
    """Every page that people read, relative to the root."""
    yield from sorted(page.relative_to(root) for page in root.glob("*.md"))
    yield from sorted(page.relative_to(root) for page in (root / "docs").rglob("*.md"))


def tracked(root: Path) -> Iterator[Path]:
    """Every file that Git would keep, relative to the root."""
    trusting = ("-c", "safe.directory=*")  # CI may run as another user than the checkout's owner
    listed = subprocess.run(
        ["git", *trusting, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            yield Path(name)


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for a name or a chain of attributes, else what is left of it."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case ast.Call(func=func):
            return dotted(func)
        case _:
            return ""
