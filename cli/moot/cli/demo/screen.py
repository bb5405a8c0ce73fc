"""What the demo shows: one line for each thing that happens, in the order in which it does."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import ROUNDED
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.status import Status
from rich.table import Table
from rich.text import Text

from moot.cli.demo.check import Check
from moot.cli.demo.example import Example, ExampleArgument
from moot.cli.demo.judgement import Judgement
from moot.contracts.debates import Camp, CampSeat, Stage

CAMP_STYLES = {Camp.PRO: "cyan", Camp.CON: "magenta", Camp.JUDGE: "yellow"}
SPEAKER_WIDTH = 14


@dataclass(frozen=True, slots=True)
class Screen:
    console: Console
    started_at: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started_at

    def title(self, example: Example) -> None:
        sides = Text.assemble(
            ("pro  ", CAMP_STYLES[Camp.PRO]),
            example.sides.pro,
            "\n",
            ("con  ", CAMP_STYLES[Camp.CON]),
            example.sides.con,
        )
        facts = Text(
            f"{example.size} arguments by {example.speakers} people · {example.licence}\n"
            f"{example.source}",
            style="dim",
        )
        self.console.print(
            Panel(
                Group(Text(example.motion, style="bold"), sides, facts),
                title="[bold]Moot[/] · a whole debate, on real servers",
                title_align="left",
                box=ROUNDED,
                padding=(1, 2),
            )
        )

    def heading(self, text: str) -> None:
        self.console.print()
        self.say(text, style="bold")

    def busy(self, doing: str) -> Status:
        """Say it, and turn a spinner on a terminal for as long as the answer is entered."""
        self.say(doing, style="dim")
        return self.console.status(f"{doing} …")

    def say(self, text: str, *, style: str = "") -> None:
        """Say it in full, over as many lines as that takes."""
        self.console.print(Text.assemble(self._clock(), (text, style)))

    def running(self, api: str, pids: Mapping[str, Sequence[int]]) -> None:
        self._line(Text(f"ready at {api}", style="bold"))
        names = ", ".join(f"{name} {'+'.join(map(str, ids))}" for name, ids in pids.items())
        # Wrapped rather than cut: the pids are there to be looked at.
        self.console.print(
            Padding(Text(f"each its own process: {names}", style="dim"), (0, 0, 0, 8))
        )

    def stage(self, stage: Stage, note: str) -> None:
        self.console.print()
        label = f" {stage.replace('_', ' ')} "
        self._line(Text.assemble((label, "reverse bold"), "  ", note))

    def signup(self, agent_id: str, camps: Iterable[Camp]) -> None:
        self._line(Text.assemble(f"{agent_id} volunteers for ", _camps(camps)))

    def camps(self, seats: Iterable[CampSeat]) -> None:
        for seat in seats:
            self._line(Text.assemble(_camp(seat.camp), f"is drawn: {seat.agent_id}"))

    def round(self, round_no: int, rounds: int) -> None:
        self._line(Text(f"round {round_no + 1} of {rounds}", style="bold"))

    def argument(self, argument: ExampleArgument) -> None:
        self._line(
            Text.assemble(
                _camp(argument.side),
                (f"{argument.turn:>3} ", "dim"),
                (f"{argument.speaker[:SPEAKER_WIDTH]:<{SPEAKER_WIDTH}} ", "dim"),
                " ".join(argument.text.split()),
            )
        )

    def announced(self, content: str) -> None:
        """An announcement that arrived in the guild: its title, and below that what happened."""
        lines = [line for line in content.splitlines() if line.strip()]
        self._line(Text(f"» Fabric hears: {' '.join(lines[1:2])}", style="green"))

    def verdict(self, judge_id: str, judgement: Judgement, example: Example) -> None:
        winner = judgement.verdict.get("winner")
        if winner is None:
            heading = Text("Undecided", style="bold yellow")
        else:
            camp = Camp(winner)
            stance = example.sides.pro if camp is Camp.PRO else example.sides.con
            heading = Text.assemble(
                (f"{camp} wins: {stance}", f"bold {CAMP_STYLES[camp]}"),
                f"   confidence {judgement.verdict['confidence']:.0%}",
            )
        self.console.print()
        self.console.print(
            Panel(
                Group(heading, Text(), Text(judgement.rationale)),
                title=f"[bold]Verdict[/] by {judge_id}",
                title_align="left",
                border_style=CAMP_STYLES[Camp.JUDGE],
                box=ROUNDED,
                padding=(1, 2),
            )
        )

    def checks(self, checks: Iterable[Check]) -> None:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(width=5, justify="right")
        table.add_column(ratio=3)
        table.add_column(ratio=2, style="dim")
        for check in checks:
            mark = Text("✓", style="bold green") if check.held else Text("✗", style="bold red")
            table.add_row(mark, Text(check.claim), Text(check.evidence))
        self.console.print(table)

    def ending(self, *, held: bool) -> None:
        self.console.print()
        if held:
            self._line(Text("Everything held.", style="bold green"))
        else:
            self._line(Text("Not everything held.", style="bold red"))

    def _line(self, text: Text) -> None:
        """One line, cut off where the terminal ends."""
        line = Text.assemble(self._clock(), text)
        self.console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def _clock(self) -> tuple[str, str]:
        return (f"{self.elapsed:5.1f}s  ", "dim")


def _camp(camp: Camp) -> tuple[str, str]:
    return (f"{camp:<5} ", CAMP_STYLES[camp])


def _camps(camps: Iterable[Camp]) -> Text:
    return Text(" or ").join(Text(camp, style=CAMP_STYLES[camp]) for camp in camps)
