"""`moot topics …`, typed at a running Moot."""

import asyncio
import json
from pathlib import Path
from typing import Any

from moot.cli.demo.cast import MODERATOR
from tests.support.local_moot import Done, moot
from tests.support.whole_moot import WholeMoot


async def typed(whole: WholeMoot, *arguments: str, key: str | None = None) -> Done:
    given = {} if key is None else {"MOOT_AGENT_KEY": key}
    command = ["topics", *arguments, "--data", str(whole.folder)]
    return await asyncio.to_thread(lambda: moot(*command, given=given))


async def said(whole: WholeMoot, *arguments: str, key: str | None = None) -> Any:  # noqa: ANN401 any JSON
    done = await typed(whole, *arguments, "--json", key=key)
    assert done.code == 0, done.errors
    return json.loads(done.said)


async def test_a_topic_is_created_shown_listed_and_cancelled(calm_moot: WholeMoot) -> None:
    key = calm_moot.keys[MODERATOR]
    wishes = ("--opens-in", "1h", "--signup", "2h", "--debate", "1d12h", "--rounds", "3")
    created = await said(calm_moot, "create", "Is it [bold]so[/]?", *wishes, key=key)
    topic_id = created["id"]
    assert (created["status"], created["rounds"]) == ("created", 3)
    assert (await said(calm_moot, "show", topic_id))["title"] == "Is it [bold]so[/]?"
    shown = (await typed(calm_moot, "show", topic_id)).said
    assert "title      Is it [bold]so[/]?\n" in shown
    assert "next       open_signup at " in shown
    mine = await said(calm_moot, "list", "--mine", "--status", "created", key=key)
    assert topic_id in [one["id"] for one in mine["items"]]
    table = (await typed(calm_moot, "list")).said
    assert topic_id in table
    assert "Is it [bold]so[/]?" in table
    cancelled = await said(calm_moot, "cancel", topic_id, "--reason", "seen enough", key=key)
    assert (cancelled["status"], cancelled["cancelled_reason"]) == ("cancelled", "seen enough")


async def test_a_debate_is_exported(calm_moot: WholeMoot, tmp_path: Path) -> None:
    created = await said(calm_moot, "create", "Kept?", key=calm_moot.keys[MODERATOR])
    exported = await typed(calm_moot, "export", created["id"])
    assert exported.said.startswith("# Kept?\n")
    file = tmp_path / "debate.json"
    written = await typed(
        calm_moot, "export", created["id"], "--format", "json", "--output", str(file)
    )
    assert (written.code, written.said) == (0, "")
    assert json.loads(file.read_text())["topic"]["id"] == created["id"]


async def test_a_refusal_is_one_line(calm_moot: WholeMoot) -> None:
    refused = await typed(calm_moot, "show", "0" * 32)
    assert refused.code == 1
    assert refused.errors == "moot: Refused: there is no such topic (topic-not-found)\n"
    malformed = await typed(calm_moot, "create", "When?", "--signup", "soon")
    assert malformed.code == 2
    assert "'soon' is no duration" in malformed.errors
