"""What happens, as it happens: one reading of the Chronicle, and who may hear of what."""

from dataclasses import dataclass
from typing import Self

from moot.api.event_stream import Pace
from moot.api.readership import Readership
from moot.api.shown_events import is_shown, is_shown_to
from moot.contracts.debates import Caller, CallerKind
from moot.runtime.chronicle import Chronicle, Stored
from moot.runtime.database import Pool
from moot.runtime.fan_out import MOST_WAITING, FanOut, Heard, Judge, Verdict


@dataclass(frozen=True, slots=True)
class Live:
    """One for a process. `fan_out.run` is a job of it."""

    fan_out: FanOut
    readership: Readership
    pace: Pace

    @classmethod
    def on(
        cls, chronicle: Chronicle, pool: Pool, *, pace: Pace | None = None, most: int = MOST_WAITING
    ) -> Self:
        readership = Readership(chronicle, pool)
        fan_out = FanOut(chronicle, readership, most=most)
        return cls(fan_out, readership, pace or Pace())

    def shows(self, event: Stored, caller: Caller) -> bool:
        """Whether the caller may see the event, by what is known at `fan_out.position`."""
        return is_shown(event, caller, self.readership.may_read)

    def judge_topic(self, subject: str, caller: Caller) -> Judge:
        """Judge one topic's events: the first that the caller mustn't read is the last."""

        def judge(heard: Heard) -> Verdict:
            if not self.readership.may_read(subject, caller):
                return Verdict.END
            return Verdict.TELL if _shown_to(heard, caller.kind) else Verdict.PASS_OVER

        return judge

    def judge_everything(self, caller: Caller) -> Judge:
        may_read = self.readership.may_read

        def judge(heard: Heard) -> Verdict:
            shown = _shown_to(heard, caller.kind) and may_read(heard.stored.subject, caller)
            return Verdict.TELL if shown else Verdict.PASS_OVER

        return judge


def _shown_to(heard: Heard, kind: CallerKind) -> bool:
    """As `is_shown_to`, looked at once for all callers of that kind."""
    shown: bool | None = heard.made.get(kind)
    if shown is None:
        shown = heard.made[kind] = is_shown_to(heard.stored, kind)
    return shown
