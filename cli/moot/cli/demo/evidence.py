"""What a played debate left behind, and whether it is what it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from moot.cli.demo.check import Check
from moot.cli.demo.example import ROUNDS, Example
from moot.cli.demo.history import lateness, short_name, stage_events, topic_history
from moot.cli.demo.play import Played
from moot.cli.demo.processes import Guild
from moot.client import MootClient
from moot.contracts.envelope import Recorded
from moot.contracts.views import AllocationView, ArgumentView, VerdictView

ON_TIME = timedelta(milliseconds=100)
MILLISECOND = timedelta(milliseconds=1)

WALK = (
    "topic_created",
    "signup_opened",
    "signup_closed",
    "camps_allocated",
    "debate_started",
    *("round_opened" for _ in range(1, ROUNDS)),
    "debate_ended",
    "verdict_submitted",
)
ANNOUNCED = ("signup_opened", "camps_allocated", "debate_started", "verdict_submitted")


@dataclass(frozen=True, slots=True)
class Evidence:
    example: Example
    played: Played
    history: Sequence[Recorded]
    transcript: Sequence[ArgumentView]
    draw: AllocationView | None
    verdict: VerdictView | None
    messages: Sequence[Mapping[str, Any]]
    """What the guild was told of this topic."""

    @classmethod
    async def gather(
        cls,
        example: Example,
        played: Played,
        client: MootClient,
        guild: Guild,
        nats_url: str,
    ) -> Self:
        topic_id = played.topic_id
        return cls(
            example=example,
            played=played,
            history=await topic_history(nats_url, topic_id),
            transcript=await client.list_arguments(topic_id).all(),
            draw=await client.get_allocation(topic_id),
            verdict=await client.get_verdict(topic_id),
            messages=await guild.messages_about(topic_id),
        )

    def checks(self) -> list[Check]:
        """Everything that holds when nothing goes wrong."""
        return [
            self.every_stage_once(),
            self.on_time(),
            self.transcript_is_the_debate(),
            self.rounds_are_kept(),
            self.draw_is_recomputed(),
            self.draw_was_committed_to(),
            self.verdict_is_the_judges(),
            self.announced_once(),
        ]

    def checks_after_faults(self) -> list[Check]:
        """What holds whatever process was killed meanwhile: it may all have come later."""
        return [
            self.every_stage_once(),
            self.never_early(),
            self.transcript_is_the_debate(),
            self.draw_is_recomputed(),
            self.verdict_is_the_judges(),
            self.announced_once(),
        ]

    def checks_on_a_busy_machine(self) -> list[Check]:
        """What holds however slow everybody is: arguments may be in a later round, too."""
        return [*self.checks_after_faults(), self.draw_was_committed_to()]

    def every_stage_once(self) -> Check:
        walk = tuple(stage_events(self.history))
        evidence = f"{len(self.history)} events" if walk == WALK else " → ".join(walk)
        return Check("every stage came once, in order", walk == WALK, evidence)

    def on_time(self) -> Check:
        fired = lateness(self.history)
        held = all(timedelta(0) <= deadline.late <= ON_TIME for deadline in fired)
        times = ", ".join(f"{deadline.late / MILLISECOND:.0f}" for deadline in fired)
        claim = f"every deadline took effect within {ON_TIME / MILLISECOND:.0f} ms"
        return Check(claim, held and bool(fired), f"{times} ms")

    def never_early(self) -> Check:
        fired = lateness(self.history)
        early = [deadline.event_type for deadline in fired if deadline.late < timedelta(0)]
        evidence = f"{', '.join(early) or 'none'} early"
        return Check("no deadline took effect before its time", not early and bool(fired), evidence)

    def transcript_is_the_debate(self) -> Check:
        posted = [(post.camp, post.agent_id, post.content) for post in self.transcript]
        wanted = [
            (argument.side, self.played.seats[argument.side], argument.content)
            for argument in self.example.arguments
        ]
        same = sum(one == other for one, other in zip(posted, wanted, strict=False))
        evidence = f"{same} of {len(wanted)} arguments"
        return Check("the transcript is the debate", posted == wanted, evidence)

    def rounds_are_kept(self) -> Check:
        posted = [post.round_no for post in self.transcript]
        rounds = self.example.in_rounds()
        wanted = [number for number, arguments in enumerate(rounds) for _ in arguments]
        counts = " + ".join(str(posted.count(number)) for number in range(ROUNDS))
        return Check("every argument is in its round", posted == wanted, f"{counts} arguments")

    def draw_is_recomputed(self) -> Check:
        signups = 0 if self.draw is None else len(self.draw.signups)
        held = self.draw is not None and self.draw.verified is True
        return Check("the draw of the camps can be recomputed", held, f"from {signups} sign-ups")

    def draw_was_committed_to(self) -> Check:
        commitment = None if self.draw is None else self.draw.commitment
        late = self.draw is not None and self.draw.commitment_late
        held = commitment is not None and not late
        evidence = f"commitment {(commitment or 'none')[:12]}…"
        return Check("the draw was committed to beforehand", held, evidence)

    def verdict_is_the_judges(self) -> Check:
        stored, judgement = self.verdict, self.played.judgement
        held = (
            stored is not None
            and stored.verdict == judgement.verdict
            and stored.rationale == judgement.rationale
        )
        told = ", ".join(f"{k} {v}" for k, v in stored.verdict.items()) if stored else "none"
        return Check("the verdict is the judge's", held, told)

    def announced_once(self) -> Check:
        wanted = [r.envelope.id for r in self.history if short_name(r.event.type) in ANNOUNCED]
        arrived = [message["idempotencyKey"] for message in self.messages]
        held = arrived == wanted and len(wanted) == len(ANNOUNCED)
        posts = sum(message["timesReceived"] for message in self.messages)
        evidence = f"{len(arrived)} messages from {posts} posts"
        return Check("Fabric was told each thing once, in order", held, evidence)
