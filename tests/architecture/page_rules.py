"""What holds for pages and for every tracked file. A rule yields one line for each finding."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import pages, tracked

# In pieces, or this file would be a finding of its own rule.
INDEX_HOSTS = re.compile(
    "|".join(
        (
            r"pypi\." + "org",
            "python" + "hosted",
            r"registry\." + "npmjs",
            r"deb\.debian\." + "org",
            r"docker\." + "io/",
            r"ghcr\." + "io",
            "index" + "-url",
        )
    ),
    re.IGNORECASE,
)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
MAKE = re.compile(r"(?:^|[`$]\s?)make ([a-z][a-z-]*)", re.MULTILINE)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
TEST = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
PATH = re.compile(r"[\w.@-]+(?:/[\w.@-]+)*/?")
# Made when things run, so named in pages without being in the tree.
MADE = (".venv", ".moot", "bench/results.json", "uv.lock")


def no_file_names_an_index(root: Path) -> Iterator[str]:
    """Where packages come from is the machine's business, never the project's."""
    for path in tracked(root):
        text = (root / path).read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if found := INDEX_HOSTS.search(line):
                yield f"{path}:{number}: names the index {found.group()}"


def links_lead_somewhere(root: Path) -> Iterator[str]:
    for page in pages(root):
        text = (root / page).read_text(encoding="utf-8")
        for target in LINK.findall(text):
            if not (root / page.parent / target).exists():
                yield f"{page}: links to {target}, which isn't there"


def named_paths_exist(root: Path) -> Iterator[str]:
    """A path in backticks that starts with a folder of ours, or is a file at the root, exists."""
    folders = {path.parts[0] for path in tracked(root) if len(path.parts) > 1}
    for page in pages(root):
        if page.name == "CHANGELOG.md" or page.parent.name == "decisions":
            continue  # both tell of what was
        for span in CODE_SPAN.findall((root / page).read_text(encoding="utf-8")):
            if _is_path(span, folders) and not (root / span).exists():
                yield f"{page}: names {span}, which isn't there"


def named_tests_exist(root: Path) -> Iterator[str]:
    """A guarantee names the test that fails without it; none may name a test that is gone."""
    for page in pages(root):
        for path, name in TEST.findall((root / page).read_text(encoding="utf-8")):
            defined = rf"^\s*(?:async def|def|class) {name}\b"
            file = root / path
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            if not text or (name and not re.search(defined, text, re.MULTILINE)):
                yield f"{page}: names the test {path}::{name}, which isn't there"


def named_make_targets_exist(root: Path) -> Iterator[str]:
    targets = set(TARGET.findall((root / "Makefile").read_text(encoding="utf-8")))
    for page in pages(root):
        for target in MAKE.findall((root / page).read_text(encoding="utf-8")):
            if target not in targets:
                yield f"{page}: names `make {target}`, which isn't a target"


def make_help_lists_every_target(root: Path) -> Iterator[str]:
    for line in (root / "Makefile").read_text(encoding="utf-8").splitlines():
        if TARGET.match(line) and ":=" not in line and "## " not in line:
            yield f"Makefile: {line.split(':')[0]} says nothing to `make help`"


def _is_path(span: str, folders: set[str]) -> bool:
    if not PATH.fullmatch(span) or span.startswith(MADE):
        return False
    return "/" in span and span.split("/", maxsplit=1)[0] in folders
