"""The code in a page, as somebody would run it who follows the page."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

PATIENCE_SECONDS = 50.0


def blocks(page: Path, language: str) -> str:
    """Return all of a page's code in that language, in its order."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no {language}"
    return "\n".join(found)


async def run_shell(page: Path, folder: Path, environment: Mapping[str, str]) -> str:
    """Run it to its end, where nothing may fail; return what it said."""
    return await _run(folder, environment, "bash", "-euo", "pipefail", "-c", blocks(page, "sh"))


async def run_python(page: Path, folder: Path, environment: Mapping[str, str]) -> str:
    return await _run(folder, environment, sys.executable, "-c", blocks(page, "python"))


async def _run(folder: Path, environment: Mapping[str, str], *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            said, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, (said + errors).decode()
    return said.decode()
