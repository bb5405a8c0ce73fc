"""Everything killed with -9, and `moot up` on the same folder again."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from moot.cli.demo.evidence import Evidence
from moot.cli.demo.example import Example
from moot.cli.demo.play import Played
from moot.contracts.debates import Camp
from moot.contracts.topic_events import DebateEnded
from moot.contracts.views import TopicView
from tests.support.debate_story import failures, play, small_debate
from tests.support.waiting import until_moment
from tests.support.whole_moot import WholeMoot, running_again, whole_moot

AT_ONCE = timedelta(seconds=2)


async def argued(moot: WholeMoot, example: Example) -> tuple[TopicView, Mapping[Camp, str]]:
    async with moot.client() as client:
        debate = play(client, moot.keys, example)
        topic = await debate.propose()
        await debate.sign_up(topic.id)
        seats = await debate.drawn(topic.id)
        await debate.argue(topic.id, seats)
    return topic, seats


async def test_all_is_there_again_and_what_is_due_happens_at_once(tmp_path: Path) -> None:
    example = small_debate("everything dies")
    async with whole_moot(tmp_path / "data") as moot:
        topic, seats = await argued(moot, example)
        await moot.kill_everything()
        # The debate's end passes while nobody is there to notice.
        await until_moment(topic.debate_end_at)
        async with running_again(moot) as again, again.client() as client:
            ready_at = datetime.now(UTC)
            debate = play(client, moot.keys, example)
            judgement = await debate.judge(topic.id, seats[Camp.JUDGE])
            await again.announced(topic.id)
            played = Played(topic.id, seats, judgement)
            evidence = await Evidence.gather(example, played, client, again.guild, again.moot.nats)
    assert failures(evidence.checks_after_faults()) == []
    (ended,) = [r for r in evidence.history if isinstance(r.event, DebateEnded)]
    assert ended.stored_at - ready_at < AT_ONCE
