"""Something that must have held, and how that shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    claim: str
    held: bool
    evidence: str
