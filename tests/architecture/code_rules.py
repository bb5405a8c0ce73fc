"""What import-linter can't say about the code. A rule yields one line for each finding."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import CODE, Source, dotted, sources

BANNED_NAMES = {
    "base",
    "common",
    "handler",
    "handlers",
    "helper",
    "helpers",
    "manager",
    "managers",
    "models",
    "service",
    "services",
    "types",
    "util",
    "utils",
}
LONGEST_FILE = 400  # lines; about 300 is the aim, beyond this it is cut by noun
CLOCK_AND_LUCK = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "uuid1",
    "uuid4",
    "uuid6",
    "uuid7",
    "uuid8",
}
OUTSIDE = {"input", "open", "print", "read_bytes", "read_text", "write_bytes", "write_text"}
WIRING = {
    "FastAPI",
    "FastStream",
    "NatsBroker",
    "connect",
    "create_engine",
    "create_pool",
    "getenv",
    "open",
}
DECLARING = {"add_typer", "callback", "command", "include_router", "model_rebuild"}
SLEEPS = {"asyncio.sleep", "sleep", "time.sleep"}
WAITING = {"tests/support/pace.py", "tests/support/waiting.py"}


def domain_is_never_async(root: Path) -> Iterator[str]:
    awaiting = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    for source in sources(root, "libs/domain", "libs/contracts"):
        for node in ast.walk(source.module):
            if isinstance(node, awaiting):
                yield source.at(node, "the domain is never async")


def domain_asks_no_clock_and_no_luck(root: Path) -> Iterator[str]:
    """Clock, luck and ids are arguments; files and terminals are somebody else's."""
    for source in sources(root, "libs/domain"):
        for call in _calls(source.module):
            name = dotted(call.func)
            last_two = ".".join(name.split(".")[-2:])
            if {last_two, name.split(".")[-1]} & (CLOCK_AND_LUCK | OUTSIDE):
                yield source.at(call, f"{name}() doesn't belong in the domain: make it an argument")


def modules_are_named_for_what_they_hold(root: Path) -> Iterator[str]:
    for source in sources(root, *CODE, "tests"):
        for part in source.path.with_suffix("").parts[1:]:
            if part in BANNED_NAMES:
                yield f"{source.path}: {part} says nothing; name the noun or the job"


def files_are_short(root: Path) -> Iterator[str]:
    for source in sources(root, *CODE, "tests"):
        lines = source.text.count("\n")
        if lines > LONGEST_FILE:
            yield f"{source.path}: {lines} lines; cut it by noun"


def nothing_happens_at_import(root: Path) -> Iterator[str]:
    """No module starts, opens, connects or reads the environment by being imported."""
    for source in sources(root, *CODE):
        if source.path.name == "__main__.py" or "migrations" in source.path.parts:
            continue  # these two are run, not imported
        for statement in _run_at_import(source.module.body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                if dotted(statement.value.func).split(".")[-1] not in DECLARING:
                    yield source.at(statement, "a call at import; put it in a function")
                continue
            for call in _calls_outside_functions(statement):
                name = dotted(call.func)
                last = name.split(".")[-1]
                if last in WIRING or last.endswith("Settings") or name.startswith("os.environ"):
                    yield source.at(call, f"{name}() at import; wire it in build(settings)")


def tests_never_sleep(root: Path) -> Iterator[str]:
    """A test waits for a condition with a deadline: two files know how, or keep an even rate."""
    for source in sources(root, "tests"):
        if source.path.as_posix() in WAITING:
            continue
        for call in _calls(source.module):
            if dotted(call.func) in SLEEPS:
                yield source.at(call, "a test that sleeps; wait for a condition instead")


def tests_assert(root: Path) -> Iterator[str]:
    """A test asserts itself, or calls something of ours that does (`given(...).then(...)`)."""
    for source in sources(root, "tests"):
        ours = _names_from_tests(source)
        for node in ast.walk(source.module):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("test_") and not _asserts(node, ours):
                yield source.at(node, f"{node.name} asserts nothing")


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _calls_outside_functions(statement: ast.stmt) -> Iterator[ast.Call]:
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
            continue
        if isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.ClassDef):
            yield from _run_at_import(statement.body)
        else:
            yield statement


def _names_from_tests(source: Source) -> set[str]:
    """Names this file defines itself or has from `tests`: they may assert on a test's behalf."""
    names: set[str] = set()
    for node in ast.walk(source.module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _asserts(test: ast.AST, ours: set[str]) -> bool:
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in {"pytest.raises", "pytest.warns", "pytest.fail"}:
                return True
            if name.split(".")[0] in ours or name.split(".")[-1].startswith("assert"):
                return True
    return False
