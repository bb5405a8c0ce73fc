"""An example of each operation, asked of a Moot: what the OpenAPI document and its pages show.

`RECORD_EXAMPLES=1 pytest tests/integration/api/test_examples.py` writes examples.json anew.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

FILE: Final = Path(__file__).with_name("examples.json")


class Example(BaseModel):
    """What was asked for and what came. The body that was sent is the operation's own."""

    model_config = ConfigDict(frozen=True)

    path: dict[str, str | int] = {}
    query: dict[str, str | int] = {}
    status: int
    answer: dict[str, Any] = {}
    """By media type; of streams and Markdown as text."""


NONE: Final = Example(status=0)
EXAMPLES: Final = TypeAdapter(dict[str, Example])


@cache
def examples() -> dict[str, Example]:
    """By operationId."""
    return EXAMPLES.validate_json(FILE.read_bytes()) if FILE.exists() else {}


def example_of(name: str) -> Example:
    return examples().get(name, NONE)
