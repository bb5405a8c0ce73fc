"""Every rule holds for the tree, and finds what is planted against it."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import code_rules, member_rules, page_rules
from tests.architecture.tree import ROOT

Rule = Callable[[Path], Iterator[str]]

MEMBER = """
[project]
name = "moot-{name}"
dependencies = ["moot-contracts", "pydantic[email]>=2"]
[tool.uv.build-backend]
module-name = "moot.{name}"
"""
SOUND = {
    "Makefile": "BIN := .venv/bin\ntest: ## Run the tests\n",
    "README.md": "`make test` runs `tests/unit`; see [the glossary](docs/glossary.md).\n",
    "requirements.lock": "pydantic==2.14.3 \\\n    --hash=sha256:00\n",
    "docs/glossary.md": "A word: see `libs/domain`.\n",
    "libs/domain/pyproject.toml": MEMBER.format(name="domain"),
    "libs/domain/moot/domain/__init__.py": "",
    "libs/domain/moot/domain/py.typed": "",
    "libs/domain/moot/domain/topic.py": "def decide(now: int) -> int:\n    return now\n",
    "services/ticker/pyproject.toml": MEMBER.format(name="ticker"),
    "services/ticker/moot/ticker/__init__.py": "",
    "services/ticker/moot/ticker/py.typed": "",
    "services/ticker/moot/ticker/__main__.py": "from moot.ticker.app import main\n\nmain()\n",
    "services/ticker/moot/ticker/app.py": "def build(settings: object) -> None: ...\n",
    "services/ticker/moot/ticker/settings.py": "PERIOD_S = 15\n",
    "tests/unit/test_topic.py": "def test_decides() -> None:\n    assert True\n",
}

# rule, file, what is planted there (None: the file is taken away)
PLANTED: list[tuple[Rule, str, str | None]] = [
    (
        code_rules.domain_is_never_async,
        "libs/domain/moot/domain/topic.py",
        "async def decide() -> None: ...\n",
    ),
    (
        code_rules.domain_asks_no_clock_and_no_luck,
        "libs/domain/moot/domain/topic.py",
        "import datetime as dt\n\ndef decide() -> object:\n    return dt.datetime.now(dt.UTC)\n",
    ),
    (
        code_rules.domain_asks_no_clock_and_no_luck,
        "libs/domain/moot/domain/topic.py",
        "import uuid\n\ndef decide() -> uuid.UUID:\n    return uuid.uuid4()\n",
    ),
    (
        code_rules.domain_asks_no_clock_and_no_luck,
        "libs/domain/moot/domain/topic.py",
        "def decide() -> str:\n    return open('schemas.json').read()\n",
    ),
    (
        member_rules.services_have_the_skeleton,
        "services/ticker/moot/ticker/settings.py",
        None,
    ),
    (
        member_rules.services_have_the_skeleton,
        "services/ticker/moot/ticker/app.py",
        "BUILT = True\n",
    ),
    (member_rules.members_are_portions_of_one_namespace, "libs/domain/moot/__init__.py", ""),
    (member_rules.members_are_portions_of_one_namespace, "libs/domain/moot/domain/py.typed", None),
    (
        member_rules.members_are_portions_of_one_namespace,
        "libs/domain/pyproject.toml",
        MEMBER.format(name="domain").replace("moot.domain", "domain"),
    ),
    (member_rules.the_lock_has_what_members_need, "requirements.lock", "pydantic==1.10.0\n"),
    (member_rules.the_lock_has_what_members_need, "requirements.lock", "attrs==25.1.0\n"),
    (
        code_rules.modules_are_named_for_what_they_hold,
        "libs/domain/moot/domain/utils.py",
        "",
    ),
    (
        code_rules.modules_are_named_for_what_they_hold,
        "libs/domain/moot/domain/helpers/__init__.py",
        "",
    ),
    (code_rules.files_are_short, "libs/domain/moot/domain/topic.py", "X = 1\n" * 401),
    (
        code_rules.nothing_happens_at_import,
        "services/ticker/moot/ticker/app.py",
        "from faststream.nats import NatsBroker\n\nbroker = NatsBroker()\n",
    ),
    (
        code_rules.nothing_happens_at_import,
        "services/ticker/moot/ticker/settings.py",
        "class TickerSettings: ...\n\nSETTINGS = TickerSettings()\n",
    ),
    (
        code_rules.nothing_happens_at_import,
        "services/ticker/moot/ticker/app.py",
        "import logging\n\nlogging.basicConfig()\n",
    ),
    (
        code_rules.nothing_happens_at_import,
        "services/ticker/moot/ticker/settings.py",
        "import os\n\nURL = os.environ.get('NATS_URL')\n",
    ),
    (
        code_rules.tests_never_sleep,
        "tests/unit/test_topic.py",
        "from time import sleep\n\ndef test_waits() -> None:\n    sleep(1)\n    assert True\n",
    ),
    (
        code_rules.tests_never_sleep,
        "tests/support/processes.py",
        "import asyncio\n\nasync def settle() -> None:\n    await asyncio.sleep(1)\n",
    ),
    (
        code_rules.tests_assert,
        "tests/unit/test_topic.py",
        "def test_nothing() -> None:\n    str(1)\n",
    ),
    (
        page_rules.no_file_names_an_index,
        "requirements.lock",
        "--extra-" + "index" + "-url elsewhere\n",
    ),
    (page_rules.no_file_names_an_index, "docs/setup.md", "From https://pypi." + "org/simple.\n"),
    (page_rules.links_lead_somewhere, "README.md", "See [the map](docs/map.md).\n"),
    (
        page_rules.named_paths_exist,
        "README.md",
        "It stands in `libs/domain/moot/domain/camp.py`.\n",
    ),
    (
        page_rules.named_tests_exist,
        "README.md",
        "Held by `tests/unit/test_topic.py::test_that_was_renamed`.\n",
    ),
    (page_rules.named_make_targets_exist, "README.md", "```console\n$ make everything\n```\n"),
    (page_rules.make_help_lists_every_target, "Makefile", "test:\n\ttrue\n"),
]
RULES = sorted({rule for rule, _, _ in PLANTED}, key=lambda rule: rule.__name__)


@pytest.fixture
def sound_tree(tmp_path: Path) -> Path:
    for name, text in SOUND.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)  # noqa: S607 whichever git there is
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_holds_for_the_tree(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_finds_nothing_where_nothing_is_wrong(rule: Rule, sound_tree: Path) -> None:
    assert list(rule(sound_tree)) == []


@pytest.mark.parametrize(
    ("rule", "name", "planted"),
    PLANTED,
    ids=[f"{rule.__name__}-{number}" for number, (rule, _, _) in enumerate(PLANTED)],
)
def test_finds_what_is_planted(
    rule: Rule, name: str, planted: str | None, sound_tree: Path
) -> None:
    file = sound_tree / name
    if planted is None:
        file.unlink()
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(planted, encoding="utf-8")

    findings = list(rule(sound_tree))

    assert any(finding.startswith(name) for finding in findings), findings


def test_every_rule_is_tried() -> None:
    written = {
        name
        for module in (code_rules, member_rules, page_rules)
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
        if not name.startswith("_")
    }

    assert written == {rule.__name__ for rule in RULES}
