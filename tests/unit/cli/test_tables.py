"""What tables of the CLI show, in a pipe and on a terminal."""

import pytest

from moot.cli import tables

ID = "fb44edc79fb457a2bb646a87da4f3f72"
REASON = "column [/red] of relation [bold]topics[/bold] does not exist, whatever \x1b[31m it was"


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    tables.show(("topic", "of", "reason"), [(ID, f"delivery/{ID}", REASON)], long={"reason"})
    return capsys.readouterr().out


def test_in_a_pipe_each_row_is_a_line_with_all_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (row,) = [line for line in shown(capsys).splitlines() if ID in line]
    assert f"delivery/{ID}" in row
    assert "[/red] of relation [bold]topics[/bold] does not exist" in row
    assert "\x1b[31m" not in row


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_on_a_terminal_no_id_is_cut_and_no_word_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    told = shown(capsys)
    assert f"delivery/{ID}" in told
    assert "…" not in told
    assert (len(told.splitlines()[0]) > 120) == (columns == "200")
    for word in ("[/red]", "relation", "[bold]topics[/bold]", "whatever"):
        assert word in told
