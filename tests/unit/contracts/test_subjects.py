"""Names on the wire are safe, and read back as what they were."""

import pytest

from moot.contracts.ids import derived_id, is_hex_id
from moot.contracts.subjects import CATEGORIES, StreamName


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_subject_reads_back(category: str) -> None:
    stream = StreamName.parse(f"chronicle.{category}.{'0a' * 16}")
    assert stream.subject == f"chronicle.{category}.{'0a' * 16}"
    assert stream.label == f"{category}/{'0a' * 16}"


@pytest.mark.parametrize(
    "subject",
    [
        "chronicle.topic",
        "chronicle.topic.",
        "chronicle.weather.1",
        "other.topic.1",
        "chronicle.topic.a b",
        "chronicle.topic.*",
        "chronicle.topic.a.b",
        "chronicle.topic.>",
        "chronicle.topic.-a",
    ],
)
def test_no_other_text_is_a_subject(subject: str) -> None:
    with pytest.raises(ValueError, match="not a subject"):
        StreamName.parse(subject)


def test_derived_ids_depend_on_where_the_parts_begin() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")
    assert derived_id("ab", "c") == derived_id("ab", "c")
    assert is_hex_id(derived_id("ab", "c"))


def test_a_derived_id_never_changes() -> None:
    assert derived_id("delivery", "topic") == "d862e1bddffb546585809ca445318bb1"
