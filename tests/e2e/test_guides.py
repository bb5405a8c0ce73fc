"""The guides' code, run against a whole Moot as it stands in the page."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from moot.api.pages import site
from tests.support.whole_moot import WholeMoot
from tests.support.written_code import run_python, run_shell

GUIDES = site.FOLDER / "guides"
CLIENT = Path(__file__).parents[2] / "libs" / "client" / "README.md"


@pytest.fixture
def environment(calm_moot: WholeMoot) -> Mapping[str, str]:
    return {"MOOT": calm_moot.moot.api, "ADMIN_KEY": calm_moot.moot.admin_key}


async def test_an_agents_guide_leads_from_a_key_to_a_verdict(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    said = await run_shell(GUIDES / "agents.md", tmp_path, environment)
    assert '"agent_id":"ann"' in said
    assert "'post_argument'" in said
    assert "debate-not-open\n" in said
    assert "Con never said where tap water is not tested." in said
    assert "event: moot.topic.verdict_submitted.v1" in said


async def test_its_program_does_the_same(environment: Mapping[str, str], tmp_path: Path) -> None:
    said = await run_python(GUIDES / "agents.md", tmp_path, environment)
    assert "is for pro." in said
    assert "is for con." in said
    assert "It was a close thing." in said


async def test_a_publishers_guide_publishes_an_event_once(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    said = await run_shell(GUIDES / "publishers.md", tmp_path, environment)
    assert (said.count('"duplicate":false'), said.count('"duplicate":true')) == (1, 1)
    assert '"code":"event-does-not-match-contract"' in said
    program = await run_python(GUIDES / "publishers.md", tmp_path, environment)
    position, told_again, refused = program.split()
    assert (int(position) > 0, told_again, refused) == (
        True,
        "True",
        "event-does-not-match-contract",
    )


async def test_the_clients_page_shows_what_it_says(
    calm_moot: WholeMoot, environment: Mapping[str, str], tmp_path: Path
) -> None:
    async with calm_moot.client() as admin:
        key = (await admin.issue_agent_key("reader", force=True)).key
    said = await run_python(CLIENT, tmp_path, {**environment, "AGENT_KEY": key})
    assert said.startswith("cancelled insufficient signups")
    assert said.endswith("412 precondition-failed\n")
    assert "debate-not-open" in said or "not-in-camp" in said
    assert said.endswith("412 precondition-failed\n")
