"""Trace: named values in order, with how each comes about: what a rule set decided, or why QEMU refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from .size import format_size

__all__ = ("DIRECT", "Trace", "TraceStep", "binding_step")

DIRECT: Final = "No decision: the RAM is mapped directly and completely, as one memslot."
"""What stands in place of a trace where nothing was decided."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One value on the way to a decision or a refusal: its name, the value, and how it comes about.

    `given` is a value of the environment, which no rule has decided.
    """

    name: str
    value: int | float
    why: str
    is_size: bool = False
    given: bool = False

    @property
    def shown(self) -> str:
        """The value as people read it."""
        if self.is_size:
            return format_size(int(self.value))
        return f"{self.value:,}" if isinstance(self.value, int) else f"{self.value:.6g}"

    def __str__(self) -> str:
        return f"{self.name} = {self.shown} ({self.why})"


@dataclass
class Trace:
    """Collects steps in order."""

    steps: list[TraceStep] = field(default_factory=list)

    def note(self, name: str, value: int, why: str) -> int:
        """Append a count and hand it back."""
        self.steps.append(TraceStep(name, value, why))
        return value

    def given(self, name: str, value: int, why: str) -> int:
        """Append a count that the environment gives and hand it back."""
        self.steps.append(TraceStep(name, value, why, given=True))
        return value

    def share(self, name: str, value: float, why: str) -> float:
        """Append a ratio and hand it back."""
        self.steps.append(TraceStep(name, value, why))
        return value

    def bytes(self, name: str, value: int, why: str) -> int:
        """Append a size in bytes and hand it back."""
        self.steps.append(TraceStep(name, value, why, is_size=True))
        return value


def binding_step(steps: Sequence[TraceStep]) -> int | None:
    """Return the index of the step that set the number of memslots: the last one that changed it.

    Steps that only hand the number on, and sizes derived from it, do not count. Where the number follows from the
    memslots' size, it is the step that set the size. None without steps that decide.
    """
    counts = [
        index for index, step in enumerate(steps) if isinstance(step.value, int) and not (step.is_size or step.given)
    ]
    if not counts:
        return None
    chain = len(counts) - 1
    while chain and steps[counts[chain - 1]].value == steps[counts[-1]].value:
        chain -= 1
    found = counts[chain]
    if found == counts[-1] and found and steps[found - 1].is_size:
        return found - 1
    return found
